"""Opening a ZIP that a stranger made: nothing is extracted, nothing grows beyond its limit."""

import io
import zipfile
from collections.abc import Mapping

from xueka.contexts.production.domain.bureau.returns import refuse
from xueka.platform.files.foreign_zip import BROKEN

_LOCAL_HEADER = b"PK\x03\x04"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_members(data: bytes, limits: Mapping[str, int]) -> dict[str, bytes]:
    """The members named in `limits` (bytes allowed for each) of an archive that holds exactly these.

    Raises ReturnRefused `RETURN_TRUNCATED` or `RETURN_FORMAT` (docs/interfaces/card-bureau.md §11.1).
    """
    if not data.startswith(_LOCAL_HEADER):
        refuse("RETURN_FORMAT", "回盘包不是 ZIP 文件。", where="回盘包", found=data[:4].hex(" "))
    if not zipfile.is_zipfile(io.BytesIO(data)):
        refuse(
            "RETURN_TRUNCATED", "回盘包不完整：ZIP 的末尾缺失。", where="回盘包", found=f"{len(data)} 字节"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if sorted(member.filename for member in members) != sorted(limits):
                refuse(
                    "RETURN_FORMAT",
                    "回盘包的成员不符。",
                    where="回盘包",
                    found="、".join(member.filename[:50] for member in members[:10]),
                    expected="、".join(limits),
                )
            return {member.filename: _read(archive, member, limits[member.filename]) for member in members}
    except EOFError:
        refuse("RETURN_TRUNCATED", "回盘包不完整：成员的内容缺失。", where="回盘包")
    except BROKEN as error:
        refuse("RETURN_FORMAT", "回盘包已损坏，无法读取。", where="回盘包", found=type(error).__name__)


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, limit: int) -> bytes:
    if member.compress_type not in _METHODS:
        refuse("RETURN_FORMAT", "回盘包成员的压缩方法不允许。", where=member.filename)
    if member.file_size > limit:
        refuse(
            "RETURN_FORMAT",
            "回盘包的成员过大。",
            where=member.filename,
            found=member.file_size,
            expected=limit,
        )
    # zipfile stops at the announced size and compares the CRC-32, so a bomb can neither grow nor hide.
    return archive.read(member)
