"""Is a receipt what finance sealed? Its signature over the very bytes, its seals, and what it says."""

from dataclasses import dataclass
from datetime import datetime

from xueka.contexts.receipts.domain import einvoice
from xueka.contexts.receipts.domain.transitions import KEPT
from xueka.contexts.receipts.models import Receipt
from xueka.kernel.errors import BadInput, XuekaError
from xueka.platform.crypto import sm3
from xueka.platform.crypto.sm2 import PublicKey
from xueka.platform.files import services as files


@dataclass(frozen=True, slots=True)
class Verified:
    """`good`: it is the original that finance sealed. `problems` say in words what is not right."""

    good: bool
    problems: tuple[str, ...]
    code: str
    number: str
    amount_fen: int
    seal: str = ""
    fingerprint: str = ""
    signed_at: datetime | None = None


def problems(draft: bytes, content: bytes, signature: bytes, pem: str, seal_id: str) -> list[str]:
    """Words for everything that is wrong; none: it is genuine and says what was sent."""
    try:
        signed = einvoice.read_signature(signature)
        said, sent = einvoice.read(content), einvoice.read(draft)
        key = PublicKey.from_pem(pem.encode())
    except BadInput as error:
        return [error.message.rstrip("。")]
    wrong = []
    if not key.verify(signed.value, content):
        wrong.append("签名与内容不符")
    ours = (sent.code, sent.number, sent.check_code, sent.pay_code, sent.total_fen, sent.related_number)
    if (said.code, said.number, said.check_code, said.pay_code, said.total_fen, said.related_number) != ours:
        wrong.append("票面与申请开具的不同")
    if len(said.seals) != 2 or any(number != seal_id for number, _, _ in said.seals):
        wrong.append("缺少印章，或不是监制章")
    elif any(digest != sm3.hexdigest(draft) for _, _, digest in said.seals):
        wrong.append("印章里的摘要与票面不符")
    return wrong


def verify_kept(receipt: Receipt) -> Verified:
    """Of one that was kept, from the stored bytes; of one that was not, what is missing."""
    about = (receipt.code, receipt.number, receipt.amount_fen)
    if receipt.state != KEPT or receipt.file is None or receipt.seal is None:
        return Verified(False, ("还没有票据原件",), *about)
    try:
        content = files.read(receipt.file)
    except XuekaError as error:
        return Verified(False, (error.message.rstrip("。"),), *about)
    seal = receipt.seal
    wrong = problems(bytes(receipt.draft), content, bytes(receipt.signature), seal.pem, seal.seal_id)
    return Verified(not wrong, tuple(wrong), *about, seal.name, seal.fingerprint, receipt.signed_at)
