"""Unpacking a statement that a stranger packed: nothing is extracted, nothing grows beyond its limit."""

import gzip
import io
import zipfile
import zlib

from xueka.contexts.treasury.domain.formats.lines import refuse
from xueka.platform.files.foreign_zip import BROKEN

LIMIT = 512 * 1024 * 1024
"""Bytes of an unpacked statement; a day of 1 million payments takes about 300 MB."""
_MEMBERS = 64
_UTF8 = 0x800


def is_zip(raw: bytes) -> bool:
    return raw.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def plain(raw: bytes) -> bytes:
    """The bytes themselves, or what the gzip holds. Raises BadInput `STATEMENT_ARCHIVE`, `STATEMENT_SIZE`."""
    if not raw.startswith(b"\x1f\x8b"):
        return _sized(raw)
    try:
        with gzip.open(io.BytesIO(raw)) as file:
            return _sized(file.read(LIMIT + 1))
    except (OSError, EOFError, zlib.error) as error:
        refuse("STATEMENT_ARCHIVE", "压缩的账单已损坏，无法读取。", found=type(error).__name__)


def members(raw: bytes) -> dict[str, bytes]:
    """The files of a ZIP by name. Channels write names in GBK without saying so.

    Raises BadInput `STATEMENT_ARCHIVE`, `STATEMENT_SIZE`.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            found = archive.infolist()
            if len(found) > _MEMBERS or sum(each.file_size for each in found) > LIMIT:
                refuse("STATEMENT_SIZE", "账单压缩包过大。", expected=f"不超过 {LIMIT >> 20} MB")
            # zipfile stops at the announced size and compares the CRC-32.
            return {_name(each): archive.read(each) for each in found if not each.is_dir()}
    except BROKEN as error:
        refuse("STATEMENT_ARCHIVE", "账单压缩包已损坏，无法读取。", found=type(error).__name__)


def _name(member: zipfile.ZipInfo) -> str:
    if member.flag_bits & _UTF8:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("gb18030")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return member.filename


def _sized(raw: bytes) -> bytes:
    if len(raw) > LIMIT:
        refuse("STATEMENT_SIZE", "账单过大。", expected=f"不超过 {LIMIT >> 20} MB")
    return raw
