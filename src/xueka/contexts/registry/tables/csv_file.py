"""CSV: UTF-8 with or without a byte-order mark, or GB 18030; comma-separated, RFC 4180 quoting.

Python's gb18030 codec is the edition of 2005; the few codes that the edition of 2022 moved decode to
private-use characters here (ADR 0041).
"""

import csv
import io
import mmap
from collections.abc import Iterator, Sequence
from itertools import islice

from xueka.contexts.registry.domain.columns import Column
from xueka.contexts.registry.tables.source import (
    CHUNK_BYTES,
    HEADER_LOOKED_AT,
    Cells,
    Chunk,
    Table,
    in_chunks,
    read_header,
)
from xueka.kernel.errors import BadInput

MAX_BYTES = 1024**3
_PROBE = 64 * 1024
_MAX_HEADER = 16 * 1024
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")

Content = bytes | mmap.mmap


def open_csv(columns: Sequence[Column], content: Content) -> Table:
    """Find encoding and header. Reads only the beginning, so that a wrong file is refused at once."""
    size = len(content)
    if size > MAX_BYTES:
        raise BadInput(
            "FILE_TOO_LARGE",
            f"文件有 {size / 1024**2:.0f} MB，超过上限。",
            found=size,
            expected=f"不超过 {MAX_BYTES // 1024**2} MB",
            action="请分成几个文件导入。",
        )
    probe = content[:_PROBE]
    encoding = _encoding(probe, whole=size <= _PROBE)
    start = len(_BOM) if probe.startswith(_BOM) else 0
    if b"\n" not in probe[:_MAX_HEADER] and size > _MAX_HEADER:
        raise _not_a_table("开头 16 KB 内没有换行")
    head = probe[start : probe.rfind(b"\n") + 1] or probe[start:]
    beginning = io.StringIO(head.decode(encoding, "replace"), newline="")
    first = list(islice(_checked(_parse(beginning)), HEADER_LOOKED_AT))
    if first and len(first[0]) == 1:
        _check_delimiter(first[0][0])
    layout = read_header(columns, first)

    def chunks() -> Iterator[Chunk]:
        if content.find(b'"') >= 0:
            stream = io.BufferedReader(_Stream(content, start), CHUNK_BYTES)
            text = io.TextIOWrapper(stream, encoding=encoding, newline="")
            lines = _checked(_parse(text))
            next(lines)
            yield from in_chunks(lines)
        else:
            yield from _ranges(content, content.find(b"\n", start) + 1 or size, encoding)

    return Table("csv", layout, size, chunks)


def _encoding(probe: bytes, whole: bool) -> str:
    if probe.startswith(_UTF16):
        raise BadInput(
            "ENCODING_UTF16",
            "文件是 UTF-16 编码的文本。",
            found="UTF-16",
            expected="UTF-8 或 GB 18030",
            action="请另存为“CSV UTF-8（逗号分隔）”后再导入。",
        )
    if b"\0" in probe:
        raise _not_a_table("内容是二进制数据")
    for encoding in ("utf-8", "gb18030"):
        try:
            probe.decode(encoding)
        except UnicodeDecodeError as error:
            if not whole and error.start >= len(probe) - 4:
                return encoding  # the probe ends in the middle of a character
        else:
            return encoding
    raise BadInput(
        "ENCODING_UNKNOWN",
        "文件既不是 UTF-8，也不是 GB 18030 编码。",
        expected="UTF-8 或 GB 18030",
        action="请用表格软件打开，另存为“CSV UTF-8（逗号分隔）”后再导入。",
    )


def _parse(text: Iterator[str]) -> Iterator[Cells]:
    return csv.reader(text, strict=True)


def _checked(lines: Iterator[Cells]) -> Iterator[Cells]:
    """Say it in the user's words when the quoting breaks off; nothing after such a place can be trusted."""
    number = 0
    try:
        for number, line in enumerate(lines, start=1):  # noqa: B007 - the last number is part of the message
            yield line
    except csv.Error:
        raise BadInput(
            "CSV_QUOTES",
            f"第 {number + 1} 行的引号不成对，其后的内容无法分列。",
            where=f"第 {number + 1} 行",
            expected="引号成对；内容里的引号写两次",
            action="请改正这一行的引号后再导入；本次没有改动任何数据。",
        ) from None
    except UnicodeDecodeError:
        raise broken_text(number + 1) from None


def broken_text(line: int) -> BadInput:
    """The refusal of a file whose text breaks off at `line`."""
    return BadInput(
        "ENCODING_BROKEN",
        f"第 {line} 行附近有无法解码的字节，文件可能已损坏或混用了两种编码。",
        where=f"第 {line} 行",
        expected="全文同为 UTF-8 或同为 GB 18030",
        action="请重新导出文件后再导入；本次没有改动任何数据。",
    )


def _check_delimiter(header: str) -> None:
    for mark, name in (("\t", "制表符"), (";", "分号"), ("|", "竖线")):
        if header.count(mark) >= 2:
            raise BadInput(
                "CSV_DELIMITER",
                f"各列是用{name}隔开的。",
                where="第 1 行（表头）",
                found=name,
                expected="英文逗号",
                action="请另存为“CSV（逗号分隔）”后再导入。",
            )


def _not_a_table(why: str) -> BadInput:
    return BadInput(
        "FILE_TYPE",
        f"这不是名册文件：{why}。",
        expected="XLSX 工作簿，或 UTF-8、GB 18030 编码的 CSV",
        action="请确认选对了文件，再导入一次。",
    )


def _ranges(content: Content, start: int, encoding: str) -> Iterator[Chunk]:
    """Whole lines without quotes, some megabytes at a time.

    A line feed is never part of another character, neither in UTF-8 nor in GB 18030.
    """
    size = len(content)
    while start < size:
        end = content.find(b"\n", min(start + CHUNK_BYTES, size)) + 1 or size
        yield Chunk(content[start:end], encoding)
        start = end


class _Stream(io.RawIOBase):
    """Read a buffer as a file without copying it."""

    def __init__(self, content: Content, start: int) -> None:
        self._content, self._at = content, start

    def readable(self) -> bool:
        return True

    def readinto(self, target: bytearray | memoryview) -> int:  # type: ignore[override]
        piece = self._content[self._at : self._at + len(target)]
        target[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)
