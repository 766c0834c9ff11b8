"""Reading a school's ZIP: names as Chinese Windows writes them, and nothing in it is trusted.

What is wrong with one file is said of that file; only what cannot be read at all is refused whole.
"""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from xueka.kernel.errors import BadInput
from xueka.platform.files.foreign_zip import BROKEN

#: At most so many files, each at most so large when unpacked, and all of them together.
FILES = 3000
FILE_BYTES = 10 * 1024 * 1024
TOTAL_BYTES = 1024 * 1024 * 1024
#: A photo is compressed already: what shrank more than this is no photo.
RATIO = 100
_UTF8_FLAG, _ENCRYPTED_FLAG = 0x800, 0x1


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive: its bytes, or why it was not unpacked (`code` and `message`)."""

    name: str
    content: bytes = b""
    code: str = ""
    message: str = ""


def members(content: bytes) -> Iterator[Member]:
    """The files of a ZIP, one in memory at a time, without what operating systems add to it.

    Raises BadInput `ARCHIVE_…` where the whole cannot be used.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except BROKEN:
        raise BadInput(
            "ARCHIVE_UNREADABLE",
            "压缩包无法读取。",
            expected="ZIP 压缩包，文件名为教育ID或证件号码",
            action="请重新打包成 ZIP 后上传；RAR、7z 请先解压。",
        ) from None
    with archive:
        files = [(_name(info), info) for info in archive.infolist() if not info.is_dir()]
        files = [(name, info) for name, info in files if not _hidden(name)]
        if len(files) > FILES:
            raise BadInput(
                "ARCHIVE_TOO_MANY", "压缩包里的文件过多。", found=len(files), expected=f"不超过 {FILES}"
            )
        left = TOTAL_BYTES
        for name, info in files:
            member = _member(archive, name, info)
            left -= len(member.content)
            if left < 0:
                raise BadInput(
                    "ARCHIVE_TOO_BIG",
                    "压缩包解开后过大。",
                    expected=f"不超过 {TOTAL_BYTES // 1024**3} GB",
                    action="请按班级分成几个压缩包上传。",
                )
            yield member


def _member(archive: zipfile.ZipFile, name: str, info: zipfile.ZipInfo) -> Member:
    parts = PurePosixPath(name).parts
    if ".." in parts or name.startswith("/") or (parts and parts[0].endswith(":")):
        return Member(name, code="PHOTO_PATH", message="文件带有指向别处的路径，没有打开。请重新打包。")
    if info.flag_bits & _ENCRYPTED_FLAG:
        return Member(name, code="PHOTO_ENCRYPTED", message="文件加了密码，没有打开。请不设密码重新打包。")
    if info.file_size > FILE_BYTES:
        limit = FILE_BYTES // 1024 // 1024
        return Member(name, code="PHOTO_FILE_TOO_BIG", message=f"照片文件超过 {limit} MB。请缩小后再传。")
    if info.file_size > RATIO * max(1, info.compress_size):
        return Member(name, code="PHOTO_BOMB", message="文件解开后异常膨胀，不是照片，没有打开。")
    try:
        # One byte more than allowed is enough to be refused later, whatever the head of the entry claims.
        with archive.open(info) as file:
            return Member(name, file.read(FILE_BYTES + 1))
    except BROKEN:
        return Member(name, code="PHOTO_DAMAGED", message="文件在压缩包里已损坏。请重新打包后再传。")


def _name(info: zipfile.ZipInfo) -> str:
    """The name as it was meant: UTF-8 where the entry says so, else what Windows and macOS write silently."""
    name = info.filename
    if not info.flag_bits & _UTF8_FLAG:
        raw = name.encode("cp437", errors="replace")
        for encoding in ("utf-8", "gb18030"):
            try:
                name = raw.decode(encoding)
                break
            except UnicodeDecodeError:
                continue
    return name.replace("\\", "/")


def _hidden(name: str) -> bool:
    return any(
        (part.startswith(".") and part != "..") or part in ("__MACOSX", "Thumbs.db")
        for part in PurePosixPath(name).parts
    )
