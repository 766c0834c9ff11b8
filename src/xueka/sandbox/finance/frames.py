"""CNNONTAX frames: length, head, GBK XML, MAC (nontax.md §2)."""

import base64
import hashlib
import hmac
import re
import socket
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

HEAD, MAC, LARGEST = 23, 64, 1 << 20
DECLARATION = '<?xml version="1.0" encoding="GBK"?>'

Fields = dict[str, str]


class FrameBroken(Exception):
    """No frame: the connection is closed."""


class MacWrong(Exception):
    """A frame of somebody who does not know the token."""

    def __init__(self, number: str) -> None:
        super().__init__(number)
        self.number = number


@dataclass(frozen=True, slots=True)
class Message:
    """One message, its vouchers as fields by name."""

    number: str
    id: str
    vouchers: list[Fields] = field(default_factory=list)
    ref: str = ""
    day: str = ""


def pack(message: Message, token: str, *, src: str, des: str, division: str) -> bytes:
    """The frame as it goes over the wire."""
    bodies = "".join(
        f'<VoucherBody AdmDivCode="{division}" StYear="{message.day[:4]}" VtCode="{message.number}" '
        f'VoucherNo="{place}"><Voucher>{_sealed(fields)}</Voucher></VoucherBody>'
        for place, fields in enumerate(message.vouchers, 1)
    )
    head = (
        f"<APP>CNNONTAX</APP><VER>1.0</VER><SRC>{src}</SRC><DES>{des}</DES><MsgNo>{message.number}</MsgNo>"
        f"<MsgID>{message.id}</MsgID><MsgRef>{message.ref}</MsgRef><WorkDate>{message.day}</WorkDate><Reserve/>"
    )
    count = len(message.vouchers)
    text = f"<CFX><HEAD>{head}</HEAD><MSG><MOF><VoucherCount>{count}</VoucherCount>{bodies}</MOF></MSG></CFX>"
    return framed(message.number, _gbk(DECLARATION + text), token)


def framed(number: str, xml: bytes, token: str) -> bytes:
    length = HEAD + len(xml) + MAC
    return f"{length:<8}CNNONTAX1.0{number}".encode("ascii") + xml + mac(token, xml).encode("ascii")


def sealed_again(frame: bytes, token: str) -> bytes:
    """The same words under the MAC of another token."""
    return frame[:-MAC] + mac(token, frame[HEAD:-MAC]).encode("ascii")


def mac(token: str, xml: bytes) -> str:
    return hashlib.sha256(token.encode() + xml).hexdigest()


def unpack(frame: bytes, token: str) -> Message:
    """Raises FrameBroken, MacWrong."""
    number = _number(frame[:HEAD], len(frame))
    xml, given = frame[HEAD:-MAC], frame[-MAC:]
    if not hmac.compare_digest(given.lower(), mac(token, xml).encode("ascii")):
        raise MacWrong(number)
    try:
        root = _parse(xml)
        head = root.find("HEAD")
        if root.tag != "CFX" or head is None or head.findtext("MsgNo") != number:
            raise FrameBroken("head")
        vouchers = [_opened(each.text or "") for each in root.iter("Voucher")]
        declared = root.findtext("MSG/MOF/VoucherCount")
        if declared != str(len(vouchers)):
            raise FrameBroken("VoucherCount")
    except (ET.ParseError, ValueError) as error:
        raise FrameBroken(str(error)) from None
    return Message(
        number,
        head.findtext("MsgID") or "",
        vouchers,
        head.findtext("MsgRef") or "",
        head.findtext("WorkDate") or "",
    )


def read(connection: socket.socket) -> bytes:
    """One frame off the wire; empty when the other side closed. Raises FrameBroken, OSError."""
    head = _exactly(connection, HEAD, may_end=True)
    if not head:
        return b""
    length = _number_of(head)
    return head + _exactly(connection, length - HEAD)


def _exactly(connection: socket.socket, length: int, *, may_end: bool = False) -> bytes:
    found = b""
    while len(found) < length:
        more = connection.recv(length - len(found))
        if not more:
            if may_end and not found:
                return b""
            raise FrameBroken("cut off")
        found += more
    return found


def _number_of(head: bytes) -> int:
    if not re.fullmatch(rb"[1-9]\d{2,7} *CNNONTAX1\.0\d{4}", head):
        raise FrameBroken("head")
    length = int(head[:8])
    if not HEAD + MAC < length <= LARGEST:
        raise FrameBroken("length")
    return length


def _number(head: bytes, length: int) -> str:
    if _number_of(head) != length:
        raise FrameBroken("length")
    return head[-4:].decode("ascii")


def _gbk(text: str) -> bytes:
    """Characters that GBK lacks become references."""
    return text.encode("gbk", errors="xmlcharrefreplace")


def _sealed(fields: Fields) -> str:
    inside = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
    return base64.b64encode(_gbk(f"{DECLARATION}<Voucher>{inside}</Voucher>")).decode("ascii")


def _opened(text: str) -> Fields:
    root = _parse(base64.b64decode("".join(text.split()), validate=True))
    if root.tag != "Voucher":
        raise ValueError("no Voucher")
    return {child.tag: (child.text or "").strip() for child in root}


def _parse(content: bytes) -> ET.Element:
    """GBK XML without a document type; Python's own parser knows no GBK, so it is decoded before."""
    text = content.decode("gbk")
    if "<!" in text:
        raise ValueError("document types are refused")
    return ET.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text))  # noqa: S314 - no entities without a DTD
