"""A receipt for whoever may have it: the original as received, and a page to look at."""

from dataclasses import dataclass

from xueka.contexts.receipts.adapters import rendering
from xueka.contexts.receipts.models import Receipt
from xueka.contexts.receipts.queries import receipt
from xueka.contexts.receipts.services.verifying import Verified, verify_kept
from xueka.kernel.errors import BadInput, Refused
from xueka.platform.files import services as files
from xueka.platform.identity.scope import Scope

XML, PDF = "xml", "pdf"
_TYPES = {XML: "application/xml", PDF: "application/pdf"}


@dataclass(frozen=True, slots=True)
class File:
    """`kind` is the media type."""

    name: str
    content: bytes
    kind: str


def download(scope: Scope, receipt_id: int, form: str = PDF) -> File:
    """`xml`: the original, byte for byte; `pdf`: a page made from it that says what it is.

    Raises NotFound, BadInput `RECEIPT_FORM`, Refused `RECEIPT_NOT_THERE` while finance has not given it.
    """
    found = receipt(scope, receipt_id)
    if form not in _TYPES:
        raise BadInput("RECEIPT_FORM", "没有这种票据文件。", found=form[:20], expected="pdf、xml")
    if found.file is None or found.seal is None:
        raise Refused("RECEIPT_NOT_THERE", "票据还没有开好。", action="请稍后再来下载；缴费不受影响。")
    content = files.read(found.file)
    if form == PDF:
        content = rendering.pdf(content, found.page_url, found.seal.name)
    return File(f"{_stem(found)}.{form}", content, _TYPES[form])


def verify(scope: Scope, receipt_id: int) -> Verified:
    """Whether the stored original is what finance sealed. Raises NotFound."""
    return verify_kept(receipt(scope, receipt_id))


def _stem(found: Receipt) -> str:
    return f"{found.code}_{found.number}"
