"""CNNONTAX frames: how the non-tax platform of the finance office talks (docs/interfaces/nontax.md §2).

A frame is GBK throughout: total length in bytes including itself (8 characters, left-justified decimal),
`CNNONTAX`, `1.0`, message number (4 digits), XML, and the MAC: 64 hexadecimal digits of SHA-256 over token
and XML. Business fields travel as vouchers: XML again, in Base64. Nothing that comes in is trusted.
"""

import base64
import binascii
import hashlib
import hmac
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from xueka.kernel.errors import BadInput

LENGTH_SIZE, MAC_SIZE = 8, 64
APP, VERSION = "CNNONTAX", "1.0"
LIMIT = 1024 * 1024
"""No frame is longer: a stranger's length is believed only up to here."""
HEAD_SIZE = LENGTH_SIZE + len(APP) + len(VERSION) + 4
_CODE = "gb18030"  # what senders call GBK
_DECLARATION = '<?xml version="1.0" encoding="GBK"?>'
_MSG_NO = re.compile(r"\d{4}", re.ASCII)
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_TAG = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*", re.ASCII)
_HEAD = ("SRC", "DES", "MsgNo", "MsgID", "MsgRef", "WorkDate")


@dataclass(frozen=True, slots=True)
class Message:
    """What a frame says. `vouchers` are the fields of each voucher in their order.

    `division` (AdmDivCode) and `year` (StYear, four digits) stand beside each voucher.
    """

    msg_no: str
    source: str
    destination: str
    msg_id: str
    work_date: str
    msg_ref: str = ""
    vouchers: Sequence[Mapping[str, str]] = ()
    division: str = ""
    year: str = ""


class Decoded(NamedTuple):
    """A frame that could be read, and whether its length and MAC are those of its content."""

    message: Message
    declared: int
    length_ok: bool
    mac_ok: bool


def encode(message: Message, token: str) -> bytes:
    """The frame. Raises BadInput `CNNONTAX_TEXT` for a name that is no tag or text that no XML can hold."""
    xml = _to_bytes(_DECLARATION + _cfx(message))
    length = HEAD_SIZE + len(xml) + MAC_SIZE
    head = f"{length:<{LENGTH_SIZE}}{APP}{VERSION}{message.msg_no}"
    return head.encode("ascii") + xml + mac(xml, token).encode("ascii")


def mac(xml: bytes, token: str) -> str:
    """64 lower-case hexadecimal digits."""
    return hashlib.sha256(token.encode(_CODE) + xml).hexdigest()


def declared_length(start: bytes) -> int:
    """How long the frame is that begins with these 8 bytes. Raises BadInput `CNNONTAX_LENGTH`."""
    digits = start[:LENGTH_SIZE].rstrip(b" ")
    if len(start) < LENGTH_SIZE or not digits.isdigit() or not HEAD_SIZE + MAC_SIZE <= int(digits) <= LIMIT:
        raise _broken(
            "CNNONTAX_LENGTH",
            "报文开头的长度无法识别。",
            where="第 1–8 字节",
            found=start[:LENGTH_SIZE].decode("ascii", "backslashreplace"),
            expected=f"左对齐的十进制数，{HEAD_SIZE + MAC_SIZE} 至 {LIMIT}",
        )
    return int(digits)


def decode(frame: bytes, token: str) -> Decoded:
    """Read a frame, whatever its length and MAC say; the caller decides by `length_ok` and `mac_ok`.

    Raises BadInput `CNNONTAX_…` where there is nothing that could be read.
    """
    declared = declared_length(frame)
    if len(frame) < HEAD_SIZE + MAC_SIZE:
        raise _broken("CNNONTAX_CUT", "报文不完整。", where="报文", found=f"{len(frame)} 字节")
    head = frame[LENGTH_SIZE:HEAD_SIZE].decode("ascii", "backslashreplace")
    if not head.startswith(APP + VERSION) or not _MSG_NO.fullmatch(head[len(APP + VERSION) :]):
        raise _broken(
            "CNNONTAX_HEAD",
            "报文头不是 CNNONTAX 1.0。",
            where="报文头",
            found=head,
            expected=f"{APP}{VERSION}nnnn",
        )
    xml = frame[HEAD_SIZE:-MAC_SIZE]
    message = _message(_parse(xml, "XML"))
    if message.msg_no != head[-4:]:
        raise _broken(
            "CNNONTAX_MSG_NO",
            "报文头与 XML 里的报文编号不同。",
            where="MsgNo",
            found=message.msg_no,
            expected=head[-4:],
        )
    return Decoded(message, declared, declared == len(frame), _is_mac_of(frame, token))


def receive(frame: bytes, token: str) -> Message:
    """What a frame says, if it is whole and from whom it claims. Raises BadInput `CNNONTAX_…`."""
    declared = declared_length(frame)
    if declared != len(frame):
        said = "报文长度与所写不符。"
        raise _broken("CNNONTAX_LENGTH", said, where="第 1–8 字节", found=len(frame), expected=declared)
    if not _is_mac_of(frame, token):
        raise _broken("CNNONTAX_MAC", "报文校验码不符，可能被改动或令牌不对。", where="末 64 字节")
    return decode(frame, token).message


def _is_mac_of(frame: bytes, token: str) -> bool:
    told = frame[-MAC_SIZE:].lower()
    return hmac.compare_digest(told, mac(frame[HEAD_SIZE:-MAC_SIZE], token).encode("ascii"))


def _cfx(message: Message) -> str:
    head = {
        "APP": APP,
        "VER": VERSION,
        "SRC": message.source,
        "DES": message.destination,
        "MsgNo": message.msg_no,
        "MsgID": message.msg_id,
        "MsgRef": message.msg_ref,
        "WorkDate": message.work_date,
        "Reserve": "",
    }
    bodies = "".join(
        f"<VoucherBody AdmDivCode={quoteattr(message.division)} StYear={quoteattr(message.year)}"
        f' VtCode="{message.msg_no}" VoucherNo="{place}"><Voucher>{_voucher(each)}</Voucher></VoucherBody>'
        for place, each in enumerate(message.vouchers, start=1)
    )
    body = f"<VoucherCount>{len(message.vouchers)}</VoucherCount>{bodies}"
    return f"<CFX><HEAD>{_elements(head)}</HEAD><MSG><MOF>{body}</MOF></MSG></CFX>"


def _voucher(fields: Mapping[str, str]) -> str:
    xml = f"{_DECLARATION}<Voucher>{_elements(fields)}</Voucher>"
    return base64.b64encode(_to_bytes(xml)).decode("ascii")


def _elements(fields: Mapping[str, str]) -> str:
    for name, text in fields.items():
        if not _TAG.fullmatch(name) or _NO_XML.search(text):
            raise _broken("CNNONTAX_TEXT", f"“{name}”不能写入报文。", where=name)
    return "".join(
        f"<{name}>{escape(text)}</{name}>" if text else f"<{name}/>" for name, text in fields.items()
    )


def _to_bytes(text: str) -> bytes:
    """A character that GBK lacks goes as a reference: a child's rare name arrives whole."""
    return text.encode("gbk", "xmlcharrefreplace")


def _parse(xml: bytes, where: str) -> ET.Element:
    try:
        text = xml.decode(_CODE)
    except UnicodeDecodeError as error:
        raise _broken(
            "CNNONTAX_TEXT",
            "报文里有不是 GBK 的字节。",
            where=where,
            found=xml[error.start : error.start + 4].hex(" "),
        ) from None
    if "<!" in text:  # a document type could make ten bytes into gigabytes
        raise _broken("CNNONTAX_XML", "报文的 XML 里有不允许的声明。", where=where, found="<!")
    try:
        return ET.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text, count=1))  # noqa: S314 - see above
    except (ET.ParseError, ValueError) as error:
        raise _broken("CNNONTAX_XML", "报文的 XML 无法读取。", where=where, found=_place(error)) from None


def _place(error: Exception) -> str | None:
    line, column = getattr(error, "position", (None, None))
    return None if line is None else f"第 {line} 行第 {column} 列"


def _message(root: ET.Element) -> Message:
    head, mof = root.find("HEAD"), root.find("MSG/MOF")
    if root.tag != "CFX" or head is None or mof is None:
        raise _broken("CNNONTAX_XML", "报文缺少 CFX/HEAD 或 CFX/MSG/MOF。", where="XML", found=root.tag[:50])
    said = {name: (head.findtext(name) or "").strip() for name in _HEAD}
    bodies = mof.findall("VoucherBody")
    vouchers = [_fields(each) for body in bodies for each in body.findall("Voucher")]
    count = (mof.findtext("VoucherCount") or "").strip()
    if (bodies or count) and count != str(len(vouchers)):
        raise _broken(
            "CNNONTAX_COUNT",
            "凭证数与所写不符。",
            where="VoucherCount",
            found=len(vouchers),
            expected=count[:20],
        )
    said_of = bodies[0].attrib if bodies else {}
    return Message(
        said["MsgNo"],
        said["SRC"],
        said["DES"],
        said["MsgID"],
        said["WorkDate"],
        said["MsgRef"],
        vouchers,
        said_of.get("AdmDivCode", ""),
        said_of.get("StYear", ""),
    )


def _fields(element: ET.Element) -> dict[str, str]:
    try:
        xml = base64.b64decode("".join((element.text or "").split()), validate=True)
    except (binascii.Error, ValueError):
        raise _broken("CNNONTAX_VOUCHER", "凭证不是 Base64。", where="Voucher") from None
    root = _parse(xml, "Voucher")
    return {each.tag: (each.text or "").strip() for each in root}


def _broken(
    code: str, message: str, *, where: str, found: object = None, expected: object = None
) -> BadInput:
    action = "请保留原始报文，并与财政非税平台核对。"
    return BadInput(code, message, where=where, found=found, expected=expected, action=action)
