"""The return side of the bureau format: reading a return file (docs/interfaces/card-bureau.md §9–§11.1).

Nothing here trusts the file. What disagrees with itself is refused whole with `ReturnRefused`; single lines
are judged later, by `reconcile`.
"""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, NoReturn

from xueka.contexts.production.domain.bureau import gb18030
from xueka.contexts.production.domain.bureau.json_fields import DIGEST, Fields
from xueka.contexts.production.domain.bureau.lines import Lines, cuts
from xueka.contexts.production.domain.bureau.text import BATCH_NUMBER
from xueka.kernel.errors import BadInput

RESULTS = {
    "00": "制成",
    "01": "芯片失败",
    "02": "印刷失败",
    "03": "照片不可用",
    "04": "数据被拒",
    "05": "生产中遗失",
    "99": "其他",
}
"""Result codes of the bureau."""

LINE_FIELDS = 9
_NAME = "returns.txt"
MAX_LINES = 1_000_000
MAX_RETURNS_SIZE = 256 * 1024 * 1024


class ReturnRefused(BadInput):
    """A return file that is refused whole. `code` is one of §11.1; nothing of the file may be applied."""


@dataclass(frozen=True, slots=True)
class ReturnManifest:
    """What the signed manifest says. `signer` is the fingerprint of the bureau signing key it names."""

    version: str
    batch: str
    number: int
    package_sm3: str
    final: bool
    lines: int
    results: dict[str, int]
    size: int
    sm3: str
    created_at: datetime
    signer: str


@dataclass(frozen=True, slots=True)
class ReturnFile:
    """A return file that agrees with itself. `lines[i]` is the D line in line i + 2 of the file."""

    manifest: ReturnManifest
    lines: Lines


def refuse(
    code: str,
    message: str,
    *,
    where: str,
    line: int | None = None,
    found: object = None,
    expected: object = None,
) -> NoReturn:
    """Refuse a return file whole, in the manner of §11.1; `line` is one of `returns.txt`, kept as detail."""
    raise ReturnRefused(
        code,
        message,
        where=where if line is None else f"{_NAME} 第 {line} 行 {where}".rstrip(),
        found=found,
        expected=expected,
        action="本文件未作任何处理。请将原因告知卡厂，由卡厂更正后以新的回盘号重新发送。",
        **({} if line is None else {"line": line}),
    )


# --- manifest ---

_MANIFEST = "manifest.json"


def read_manifest(raw: bytes) -> ReturnManifest:
    """The manifest's fields (§9). Raises ReturnRefused `RETURN_FORMAT` or `RETURN_VERSION`."""
    fields = Fields.read(raw, _malformed)
    fields.text("format", "XKRETURN")
    version = fields.text("version", r"\d{1,4}\.\d{1,4}")
    if not version.startswith("1."):
        where = f"{_MANIFEST}: version"
        refuse("RETURN_VERSION", "回盘文件的主版本不受支持。", where=where, found=version, expected="1.x")
    results, returns = fields.inner("results"), fields.inner("returns")
    if results.names() != set(RESULTS):
        fields.malformed("results")
    returns.text("name", r"returns\.txt")
    return ReturnManifest(
        version=version,
        batch=fields.text("batch", BATCH_NUMBER),
        number=fields.integer("return", 1, 999),
        package_sm3=fields.text("package_sm3", DIGEST),
        final=fields.boolean("final"),
        lines=fields.integer("lines", 0, MAX_LINES),
        results={code: results.integer(code, 0, MAX_LINES) for code in RESULTS},
        size=returns.integer("size", 0, MAX_RETURNS_SIZE),
        sm3=returns.text("sm3", DIGEST),
        created_at=fields.moment("created_at"),
        signer=fields.text("signer", DIGEST),
    )


def _malformed(message: str, field: str, found: object) -> NoReturn:
    refuse("RETURN_FORMAT", f"回盘清单{message}。", where=f"{_MANIFEST}: {field}".rstrip(": "), found=found)


# --- returns.txt ---

_COUNT = r"\|(0|[1-9]\d{0,6})"
_HEAD = re.compile(rf"H\|XKRET\|(\d{{1,4}}\.\d{{1,4}})\|({BATCH_NUMBER})\|([1-9]\d{{0,2}}){_COUNT}", re.ASCII)
_TRAILER = re.compile("T" + _COUNT * (1 + len(RESULTS)), re.ASCII)


def parse_returns(data: bytes, manifest: ReturnManifest) -> ReturnFile:
    """The lines of `returns.txt`, once head, trailer and manifest agree (checks 10 to 16 of §11.1).

    Size and digest of `data` must have been compared with the manifest before. Raises ReturnRefused.
    """
    survey = _survey(data)
    last = data.rfind(b"\r\n", 0, -2) + 2 if survey.lines > 1 else 0
    if not data.endswith(b"\r\n") or not data.startswith(b"T|", last):
        refuse("RETURN_TRUNCATED", "回盘文件不完整：没有以尾行结束。", where="", line=survey.lines + 1)
    if survey.broken_line:
        refuse("RETURN_FORMAT", "行内有单独的回车或换行符。", where="", line=survey.broken_line)
    first = data.find(b"\r\n") + 2
    version, batch, return_number, announced = _read_head(
        _decode(data, 0, first)[:-2] if survey.lines > 1 else ""
    )
    if survey.foreign_line and survey.foreign_line < survey.lines:
        refuse("RETURN_FORMAT", "首行与尾行之间只能是明细行。", where="", line=survey.foreign_line)
    trailer = _decode(data, last, len(data))[:-2]
    totals = _TRAILER.fullmatch(trailer)
    if totals is None:
        refuse("RETURN_FORMAT", "尾行不符合格式。", where="", line=survey.lines, found=trailer[:100])
    for code, label, found_value, expected in (
        ("RETURN_VERSION", "版本", version, manifest.version),
        ("RETURN_BATCH", "批次号", batch, manifest.batch),
        ("RETURN_NUMBER", "回盘号", return_number, str(manifest.number)),
    ):
        if found_value != expected:
            refuse(
                code,
                f"首行的{label}与清单不一致。",
                where=label,
                line=1,
                found=found_value,
                expected=expected,
            )
    _check_totals(survey, int(announced), [int(total) for total in totals.groups()], manifest)
    return ReturnFile(manifest, Lines(data, first, last))


class _Survey(NamedTuple):
    """What one walk over the file shows. Lines are counted from 1; 0 where there is no such line.

    `foreign_line` is the first one after the head that is no D line; that is the trailer in a sound file.
    """

    lines: int
    broken_line: int
    foreign_line: int
    results: Counter[str]


def _survey(data: bytes) -> _Survey:
    lines = broken = foreign = 0
    results: Counter[str] = Counter()
    for start, end in cuts(data, 0, len(data)):
        text = _decode(data, start, end)
        rows = text.split("\r\n")
        remainder = rows.pop()
        if not broken and not text.count("\r") == text.count("\n") == len(rows):
            places = enumerate([*rows, remainder], lines + 1)
            broken = next((place for place, row in places if "\r" in row or "\n" in row), 0)
        detail = [row for row in rows if row.startswith("D|")]
        if not foreign and len(detail) + (lines == 0) < len(rows):
            places = enumerate(rows, lines + 1)
            foreign = next((place for place, row in places if place > 1 and not row.startswith("D|")), 0)
        results.update([row.rsplit("|", 3)[1] for row in detail if row.count("|") == LINE_FIELDS - 1])
        lines += len(rows)
    return _Survey(lines, broken, foreign, results)


def _decode(data: bytes, start: int, end: int) -> str:
    try:
        return gb18030.decode(data[start:end])
    except UnicodeDecodeError as error:
        place = start + error.start
        column = place - data.rfind(b"\n", 0, place)
        refuse(
            "RETURN_ENCODING",
            "回盘文件含有不是 GB 18030 的字节。",
            where=f"第 {column} 字节",
            line=data.count(b"\n", 0, place) + 1,
            found=data[place : place + 4].hex(" "),
        )


def _read_head(line: str) -> tuple[str, str, str, str]:
    match = _HEAD.fullmatch(line)
    if match is None:
        refuse("RETURN_FORMAT", "首行不符合格式。", where="", line=1, found=line[:100])
    return match[1], match[2], match[3], match[4]


def _check_totals(survey: _Survey, announced: int, trailer: list[int], manifest: ReturnManifest) -> None:
    count, last, results = survey.lines - 2, survey.lines, survey.results
    for label, total, line in (
        ("首行的行数", announced, 1),
        ("尾行的总数", trailer[0], last),
        ("清单的行数", manifest.lines, None),
    ):
        if total != count:
            message = f"{label}与明细行数不一致。"
            refuse("RETURN_TRAILER", message, where=label, line=line, found=total, expected=count)
    for code, total in zip(RESULTS, trailer[1:], strict=True):
        for label, said, line in (("尾行", total, last), ("清单", manifest.results[code], None)):
            if said != results[code]:
                refuse(
                    "RETURN_TRAILER",
                    f"{label}中结果 {code}（{RESULTS[code]}）的张数与明细不一致。",
                    where=f"{label} {code}",
                    line=line,
                    found=said,
                    expected=results[code],
                )
