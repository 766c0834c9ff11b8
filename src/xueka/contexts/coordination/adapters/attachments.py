"""Which files may be laid to a matter: by name and by content, so that neither says what the other is not."""

import io
import zipfile

from xueka.kernel.errors import BadInput
from xueka.kernel.text import normalise
from xueka.platform.files.foreign_zip import BROKEN

LARGEST_MB, MOST = 20, 100
_ZIP = b"PK\x03\x04"
#: Ending → media type, and how the content begins; text begins with anything.
KINDS = {
    "pdf": ("application/pdf", b"%PDF-"),
    "jpg": ("image/jpeg", b"\xff\xd8\xff"),
    "jpeg": ("image/jpeg", b"\xff\xd8\xff"),
    "png": ("image/png", b"\x89PNG\r\n\x1a\n"),
    "docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", _ZIP),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", _ZIP),
    "csv": ("text/csv", b""),
    "txt": ("text/plain", b""),
}
_EXPECTED = "PDF、JPG、PNG、DOCX、XLSX、CSV、TXT"


def checked(name: str, content: bytes) -> tuple[str, str]:
    """The name that is kept, and the media type. Raises BadInput `FILE_EMPTY`, `FILE_TOO_LARGE`, `FILE_TYPE`,
    `FILE_MACROS`.
    """
    name = "".join(
        each for each in normalise(name.replace("\\", "/").rpartition("/")[2]) if each.isprintable()
    )
    stem, _, ending = name.rpartition(".")
    if not content:
        raise BadInput("FILE_EMPTY", "文件是空的。", found=name[:60], action="请换一个文件。")
    if len(content) > LARGEST_MB << 20:
        raise BadInput("FILE_TOO_LARGE", "文件太大。", found=name[:60], expected=f"不超过 {LARGEST_MB} MB")
    media_type, begin = KINDS.get(ending.lower(), ("", b""))
    if not media_type or not stem or not content.startswith(begin) or not (begin or _is_text(content)):
        raise _wrong(name)
    if begin == _ZIP:
        _without_macros(name, ending.lower(), content)
    return f"{stem[:80]}.{ending.lower()}", media_type


def _is_text(content: bytes) -> bool:
    for encoding in ("utf-8", "gb18030"):
        try:
            return "\x00" not in content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return False


def _without_macros(name: str, ending: str, content: bytes) -> None:
    """Only the list of what the document holds is read."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as document:
            parts = [each.lower() for each in document.namelist()]
    except BROKEN:
        raise _wrong(name) from None
    folder = "word/" if ending == "docx" else "xl/"
    if "[content_types].xml" not in parts or not any(each.startswith(folder) for each in parts):
        raise _wrong(name)
    if any("vbaproject" in each or "/embeddings/" in each for each in parts):
        raise BadInput(
            "FILE_MACROS",
            "文件里有宏或嵌入的文件，不能收。",
            found=name[:60],
            action="请另存为 PDF，或去掉宏和嵌入的文件后再上传。",
        )


def _wrong(name: str) -> BadInput:
    return BadInput(
        "FILE_TYPE",
        "这种文件不能收，或内容与扩展名不符。",
        found=name[:60],
        expected=_EXPECTED,
        action="请换一种格式后再上传。",
    )
