"""XLSX workbooks: found harmless here, read in a process of its own meanwhile.

calamine lays a sheet out as a full rectangle, so what the parts inflate to and how far out the cells lie is
checked, with a message that helps; what a hostile file may do ends only its reader.
"""

import contextlib
import io
import json
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from subprocess import DEVNULL, PIPE
from typing import IO

from xueka.contexts.registry.domain.columns import Column
from xueka.contexts.registry.tables.source import HEADER_LOOKED_AT, Chunk, Table, read_header
from xueka.kernel.errors import BadInput
from xueka.platform.files.foreign_zip import BROKEN

MAX_BYTES = 128 * 1024**2
MAX_INFLATED = 1024**3
MAX_PARTS = 1000
MAX_ROWS, MAX_COLUMNS = 300_000, 64
_PIECE = 1024**2
# A row beyond 300,000 or a cell beyond column BL (64), unless it is empty and closed at once.
_TOO_FAR = re.compile(
    rb"""\br\s*=\s*["'](?:(?:[A-Za-z]{3}|[C-Zc-z][A-Za-z]|[Bb][M-Zm-z])\d+"""
    rb"""|[A-Za-z]{0,2}(?:\d{7,}|[4-9]\d{5}|3(?!00000)\d{5}))["'](?:[^<>]*[^/<>])?>"""
)


def open_xlsx(columns: Sequence[Column], content: bytes) -> Table:
    """Read the first visible sheet. Raises BadInput for anything that is not a sound, moderate workbook."""
    others, chunks = _read(content, _parts(content))
    lines = chunks[0].lines() if chunks else []
    layout = read_header(columns, list(islice(lines, HEADER_LOOKED_AT)))
    chunks[0] = Chunk(chunks[0].texts()[1:])
    return Table("xlsx", layout, len(content), lambda: iter(chunks), others)


def check_archive(content: bytes) -> None:
    """Refuse what is no workbook, and what would fill the memory. Believes no size that the file states."""
    _check_parts(content, _parts(content))


def _read(content: bytes, parts: Sequence[zipfile.ZipInfo]) -> tuple[tuple[str, ...], list[Chunk]]:
    """The names of further sheets with content, and the lines of the first one.

    The reader, which has bounds of its own, begins while the parts are looked at; a harmful file ends it.
    """
    command = [sys.executable, "-m", "xueka.contexts.registry.tables.xlsx_reader"]
    with (
        subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL) as reader,
        ThreadPoolExecutor(1) as desk,
    ):
        assert reader.stdin is not None
        assert reader.stdout is not None
        desk.submit(_hand_over, content, reader.stdin)
        try:
            _check_parts(content, parts)
            answers = [json.loads(line) for line in reader.stdout if line.endswith(b"\n")]
        finally:
            reader.kill()
    if not answers or answers.pop() is not True:
        raise _not_a_workbook("工作簿的内部结构不完整")
    others, *lists = answers
    return tuple(others), [Chunk(lines) for lines in lists]


def _hand_over(content: bytes, stdin: IO[bytes]) -> None:
    with contextlib.suppress(BrokenPipeError), stdin:
        stdin.write(content)


def _parts(content: bytes) -> list[zipfile.ZipInfo]:
    """The parts of the archive as it lists them."""
    if len(content) > MAX_BYTES:
        raise _too_large(f"文件有 {len(content) / 1024**2:.0f} MB", f"不超过 {MAX_BYTES // 1024**2} MB")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
    except BROKEN:
        raise _not_a_workbook("压缩结构已损坏") from None
    names = {part.filename for part in parts}
    if not {"[Content_Types].xml", "xl/workbook.xml"} <= names:
        raise _not_a_workbook("压缩包里没有工作簿")
    if len(parts) > MAX_PARTS:
        raise _too_large(f"内含 {len(parts)} 个部件", f"不超过 {MAX_PARTS} 个")
    return parts


def _check_parts(content: bytes, parts: Sequence[zipfile.ZipInfo]) -> None:
    room = MAX_INFLATED
    for part in parts:
        room = _walk(content, part, room)


def _walk(content: bytes, part: zipfile.ZipInfo, room: int) -> int:
    """Inflate one part piece by piece; return how much room is left after it."""
    is_sheet = part.filename.startswith("xl/worksheets/")
    tail = b""
    for piece in _pieces(content, part):
        room -= len(piece)
        if room < 0:
            raise _too_large("解压后的内容过大", f"不超过 {MAX_INFLATED // 1024**2} MB")
        if is_sheet:
            if _TOO_FAR.search(tail + piece):
                raise _too_large(
                    f"有单元格在第 {MAX_ROWS:,} 行或第 {MAX_COLUMNS} 列以外",
                    f"不超过 {MAX_ROWS:,} 行、{MAX_COLUMNS} 列",
                )
            tail = piece[-200:]
    return room


def _pieces(content: bytes, part: zipfile.ZipInfo) -> Iterator[bytes]:
    head = content[part.header_offset : part.header_offset + 30]
    if (
        len(head) < 30
        or part.flag_bits & 1
        or part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    ):
        raise _not_a_workbook("已加密，或压缩方式不受支持")
    start = (
        part.header_offset
        + 30
        + int.from_bytes(head[26:28], "little")
        + int.from_bytes(head[28:30], "little")
    )
    packed = memoryview(content)[start : start + part.compress_size]
    if part.compress_type == zipfile.ZIP_STORED:
        yield from (bytes(packed[at : at + _PIECE]) for at in range(0, len(packed), _PIECE))
        return
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    rest: bytes | memoryview = packed
    try:
        while rest and not inflater.eof:
            yield inflater.decompress(rest, _PIECE)
            rest = inflater.unconsumed_tail
    except zlib.error:
        raise _not_a_workbook("压缩内容已损坏") from None


def _not_a_workbook(why: str) -> BadInput:
    return BadInput(
        "XLSX_UNREADABLE",
        f"这不是能读取的 XLSX 工作簿：{why}。",
        expected="未加密的 .xlsx 文件",
        action="请用表格软件打开，另存为“Excel 工作簿（.xlsx）”后再导入。",
    )


def _too_large(found: str, expected: str) -> BadInput:
    return BadInput(
        "XLSX_TOO_LARGE",
        f"工作簿过大：{found}。",
        found=found,
        expected=expected,
        action="请删除名册以外的内容；更大的名册请另存为 CSV 再导入。",
    )
