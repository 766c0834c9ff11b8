"""The bureau's acknowledgement of a package (docs/interfaces/card-bureau.md §8)."""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from xueka.contexts.production.domain.bureau.json_fields import DIGEST, Fields
from xueka.contexts.production.domain.bureau.records import MAX_CARDS, package_name
from xueka.contexts.production.domain.bureau.text import BATCH_NUMBER
from xueka.kernel.errors import BadInput

REFUSAL_CODES = (
    "FORMAT",
    "SIGNATURE",
    "VERSION",
    "DUPLICATE_BATCH_DIFFERENT",
    "DIGEST",
    "KEY",
    "DECRYPT",
    "RECORDS",
    "TOTALS",
    "PHOTOS",
    "KEYS",
    "FACE",
    "OTHER",
)
"""Why a bureau refuses a package (§7)."""


class AcknowledgementRefused(BadInput):
    """An acknowledgement that proves nothing; what was sent counts as not acknowledged.

    Codes: `ACK_FORMAT`, `ACK_SIGNATURE`, `ACK_VERSION`, `ACK_PACKAGE` (of another package), `ACK_DIGEST` (the
    bureau received other bytes than were sent).
    """


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What the bureau said. `code` and `message` are empty and `records` is a number where it accepted."""

    batch: str
    package: int
    sm3: str
    accepted: bool
    code: str
    message: str
    records: int | None
    repeat: bool
    received_at: datetime
    signer: str


def refuse(
    code: str, message: str, where: str = "", found: object = None, expected: object = None
) -> NoReturn:
    raise AcknowledgementRefused(
        code,
        message,
        where=f"回执 {where}".strip(),
        found=found,
        expected=expected,
        action="请联系卡厂重发回执；在此之前该制卡包视为未收妥。",
    )


def read_envelope(raw: bytes) -> tuple[bytes, bytes]:
    """Body bytes and signature. Raises AcknowledgementRefused `ACK_FORMAT`."""
    envelope = Fields.read(raw, _malformed)
    body, signature = (envelope.text(name, r"[A-Za-z0-9+/=]+") for name in ("body", "signature"))
    try:
        return base64.b64decode(body, validate=True), base64.b64decode(signature, validate=True)
    except binascii.Error:
        _malformed("Base64 编码不正确", "", None)


def read_body(raw: bytes) -> Acknowledgement:
    """The signed body. Raises AcknowledgementRefused `ACK_FORMAT` or `ACK_VERSION`."""
    fields = Fields.read(raw, _malformed)
    fields.text("format", "XKACK")
    version = fields.text("version", r"\d{1,4}\.\d{1,4}")
    if not version.startswith("1."):
        refuse("ACK_VERSION", "回执的主版本不受支持。", "version", version, "1.x")
    batch, package = fields.text("batch", BATCH_NUMBER), fields.integer("package", 1, 999)
    if fields.text("file", r"[\w.-]{1,64}") != package_name(batch, package):
        fields.malformed("file")
    accepted = fields.text("result", "accepted|refused") == "accepted"
    if not accepted and not fields.is_null("records"):
        fields.malformed("records")
    return Acknowledgement(
        batch=batch,
        package=package,
        sm3=fields.text("sm3", DIGEST),
        accepted=accepted,
        code=fields.text("code", "" if accepted else "|".join(REFUSAL_CODES)),
        message=fields.text("message", r"[^\x00-\x1f\x7f]{0,500}"),
        records=fields.integer("records", 1, MAX_CARDS) if accepted else None,
        repeat=fields.boolean("repeat"),
        received_at=fields.moment("received_at"),
        signer=fields.text("signer", DIGEST),
    )


def _malformed(message: str, field: str, found: object) -> NoReturn:
    refuse("ACK_FORMAT", f"回执{message}。", field, found)
