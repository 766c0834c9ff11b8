"""The production side of the bureau format: what is to be made (docs/interfaces/card-bureau.md §4, §5)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from xueka.contexts.production.domain.bureau import gb18030
from xueka.contexts.production.domain.bureau.text import (
    BATCH_NUMBER,
    OPAQUE_NUMBER,
    UID,
    escape,
    text_problem,
)
from xueka.kernel.errors import BadInput, LineProblem
from xueka.kernel.identifiers import check_card_number

VERSION = "1.0"
CARD_SUM_MODULUS = 10**12
MAX_CARDS = 1_000_000

SEX_CODES = {"男": "1", "女": "2"}
"""GB/T 2261.1; anything else is `0` unknown or `9` not stated."""
STAGE_CODES = {"小学": "P", "初中": "J", "高中": "S"}
"""Any other stage is `O`."""


class Source(StrEnum):
    """Where a card's number comes from: we send it, the blank brings it, or the kind has none."""

    SENT = "sent"
    BLANK = "blank"
    NONE = "none"


class CardContents(NamedTuple):
    """What the cards of a kind carry; the bureau is told in the manifest."""

    chip: bool
    transit: Source
    beijing_tong: Source


class CardFace(NamedTuple):
    """The artwork to print: `digest` is the SM3 (64 hex) of the file that was handed over."""

    template: str
    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class BatchHead:
    """What a production package says of the whole batch. `created_at` is aware, `package` counts from 1.

    With card keys `version` is 1.1; `keyref` is what each record says of them (§15).
    """

    batch: str
    package: int
    kind: str
    contents: CardContents
    face: CardFace
    created_at: datetime
    city: str = "110000"
    remake_of: str | None = None
    version: str = VERSION
    keyref: str = ""


class CardRecord(NamedTuple):
    """One card to make. `sex` and `stage` are codes of the format; a number that does not exist is empty."""

    sequence: int
    card_number: str
    transit_number: str
    beijing_tong_number: str
    blank_uid: str
    education_id: str
    name: str
    sex: str
    school_code: str
    school_name: str
    class_name: str
    stage: str
    valid_from: date
    valid_until: date
    has_photo: bool

    @property
    def photo(self) -> str:
        """Member name inside the photo ZIP, or empty."""
        return f"{self.card_number}.jpg" if self.has_photo else ""


class RecordsFile(NamedTuple):
    """A rendered records file with its control totals; `cards` are their numbers in its order."""

    data: bytes
    records: int
    photos: tuple[str, ...]
    card_sum: int
    cards: tuple[str, ...]


def package_name(batch: str, package: int) -> str:
    return f"XKP_{batch}_{package}.zip"


def acknowledgement_name(batch: str, package: int) -> str:
    return f"XKA_{batch}_{package}.json"


def return_name(batch: str, number: int) -> str:
    return f"XKR_{batch}_{number}.zip"


_RETURN_NAME = re.compile(rf"XKR_({BATCH_NUMBER})_([1-9]\d{{0,2}})\.zip", re.ASCII)


def read_return_name(name: str) -> tuple[str, int] | None:
    """Batch number and return number of a return file's name; None when it is no such name."""
    match = _RETURN_NAME.fullmatch(name)
    return (match[1], int(match[2])) if match else None


def render_records(head: BatchHead, records: Iterable[CardRecord]) -> RecordsFile:
    """The records file in GB 18030-2022 (§5).

    Raises BadInput: `BATCH_HEAD` for a head that breaks the format, `RECORDS_INVALID` with every defect of
    every record in `detail["problems"]` (line of the file, column, code, message), `BATCH_SIZE`.
    """
    _check_head(head)
    lines = [""]
    problems: list[LineProblem] = []
    photos: list[str] = []
    numbers: dict[str, None] = {}
    total = 0
    for record in records:
        if found := record_problems(head.contents, record, position=len(lines)):
            problems += found
        elif record.card_number in numbers:
            problems.append(_problem(record, "card_number", "与本批次前面的一张卡重号"))
        else:
            total += int(record.card_number)
        numbers[record.card_number] = None
        if record.has_photo:
            photos.append(record.photo)
        lines.append(_line(record) + head.keyref)
    count = len(lines) - 1
    if problems:
        raise BadInput(
            "RECORDS_INVALID",
            f"批次 {head.batch} 的制卡数据有 {len(problems)} 处不符合制卡文件格式，文件没有生成。",
            where=f"批次 {head.batch}",
            action="请按所列卡片更正数据，或将其移出批次。",
            problems=[problem.as_dict() for problem in problems],
        )
    if not 1 <= count <= MAX_CARDS:
        raise BadInput(
            "BATCH_SIZE", f"一个批次应有 1 至 {MAX_CARDS} 张卡。", where=f"批次 {head.batch}", found=count
        )
    total %= CARD_SUM_MODULUS
    lines[0] = f"H|XKREC|{head.version}|{head.batch}|{head.kind}|{count}"
    lines.append(f"T|{count}|{len(photos)}|{total}")
    lines.append("")
    return RecordsFile(gb18030.encode("\r\n".join(lines)), count, tuple(photos), total, tuple(numbers))


def _line(record: CardRecord) -> str:
    return (
        f"D|{record.sequence}|{record.card_number}|{record.transit_number}|{record.beijing_tong_number}"
        f"|{record.blank_uid}|{record.education_id}|{escape(record.name)}|{record.sex}|{record.school_code}"
        f"|{escape(record.school_name)}|{escape(record.class_name)}|{record.stage}"
        f"|{_day(record.valid_from)}|{_day(record.valid_until)}|{record.photo}|"
    )


def _day(day: date) -> str:
    return f"{day.year:04d}{day.month:02d}{day.day:02d}"


_HEAD_PATTERNS = {
    "batch": BATCH_NUMBER,
    "kind": r"[A-Za-z0-9_-]{1,32}",
    "city": r"\d{6}",
}


def _check_head(head: BatchHead) -> None:
    wrong = [
        name for name, form in _HEAD_PATTERNS.items() if not re.fullmatch(form, getattr(head, name), re.ASCII)
    ]
    if head.remake_of is not None and not re.fullmatch(BATCH_NUMBER, head.remake_of):
        wrong.append("remake_of")
    if not 1 <= head.package <= 999:
        wrong.append("package")
    face = head.face
    if (
        not re.fullmatch(r"[A-Za-z0-9._-]{1,32}", face.template)
        or face.version < 1
        or not re.fullmatch(r"[0-9a-f]{64}", face.digest)
    ):
        wrong.append("face")
    if head.contents.beijing_tong is Source.BLANK:
        wrong.append("contents")
    if wrong:
        raise BadInput(
            "BATCH_HEAD",
            "批次信息不符合制卡文件格式：" + "、".join(wrong) + "。",
            where=f"批次 {head.batch}",
            found={name: str(getattr(head, name)) for name in wrong},
            action="请核对批次号、卡种和卡面版式的设置。",
        )


_LABELS = {
    "sequence": "序号",
    "card_number": "学卡号",
    "transit_number": "一卡通号",
    "beijing_tong_number": "北京通号",
    "blank_uid": "指定白卡UID",
    "education_id": "教育ID",
    "name": "姓名",
    "sex": "性别",
    "school_code": "学校标识码",
    "school_name": "学校名称",
    "class_name": "班级",
    "stage": "学段",
    "valid_until": "有效期止",
}
_TEXTS = (("name", 50), ("school_name", 60), ("class_name", 40))

# One look at the fields that are codes: a sound record passes here at once.
_SOUND = re.compile(
    rf"(?P<transit>{OPAQUE_NUMBER})?\|(?P<tong>{OPAQUE_NUMBER})?\|(?P<uid>{UID})?"
    r"\|[0-9A-Za-z]{1,20}\|[0129]\|\d{10}\|[PJSO]",
    re.ASCII,
)


def record_problems(contents: CardContents, record: CardRecord, *, position: int) -> list[LineProblem]:
    """Every rule of §5 that a record breaks; `position` is its place in the batch, from 1."""
    problems: list[LineProblem] = []
    codes = _SOUND.fullmatch(
        f"{record.transit_number}|{record.beijing_tong_number}|{record.blank_uid}|{record.education_id}"
        f"|{record.sex}|{record.school_code}|{record.stage}"
    )
    if (
        codes is None
        or (codes["transit"] is not None) != (contents.transit is Source.SENT)
        or (codes["tong"] is not None) != (contents.beijing_tong is Source.SENT)
        or (codes["uid"] is not None and not contents.chip)
    ):
        problems += _code_problems(contents, record)
    if record.sequence != position:
        problems.append(_problem(record, "sequence", f"应为 {position}"))
    if not check_card_number(record.card_number):
        problems.append(_problem(record, "card_number", "应为 12 位数字，末位为正确的校验码"))
    for column, longest in _TEXTS:
        text = getattr(record, column)
        if wrong := text_problem(text, longest, shortest=1):
            problems.append(_problem(record, column, wrong))
    if record.valid_until < record.valid_from:
        problems.append(_problem(record, "valid_until", "早于有效期起"))
    return problems


def _code_problems(contents: CardContents, record: CardRecord) -> list[LineProblem]:
    problems = []
    for column, form, source in (
        ("transit_number", OPAQUE_NUMBER, contents.transit),
        ("beijing_tong_number", OPAQUE_NUMBER, contents.beijing_tong),
    ):
        value = getattr(record, column)
        if source is not Source.SENT and value:
            problems.append(_problem(record, column, "此卡种不应填写"))
        elif source is Source.SENT and not re.fullmatch(form, value):
            problems.append(_problem(record, column, "应为 1 至 32 位数字或字母"))
    for column, form, expected in (
        ("blank_uid", f"(?:{UID})?" if contents.chip else "", "应为大写十六进制UID，无芯片卡种应为空"),
        ("education_id", r"[0-9A-Za-z]{1,20}", "应为 1 至 20 位数字或字母"),
        ("sex", "[0129]", "应为 0、1、2 或 9"),
        ("school_code", r"[0-9]{10}", "应为 10 位数字"),
        ("stage", "[PJSO]", "应为 P、J、S 或 O"),
    ):
        if not re.fullmatch(form, getattr(record, column)):
            problems.append(_problem(record, column, expected))
    return problems


def _problem(record: CardRecord, column: str, wrong: str) -> LineProblem:
    value = str(getattr(record, column))
    return LineProblem(
        line=record.sequence + 1,
        column=column,
        code=f"RECORD_{column.upper()}",
        value=value,
        message=f"第 {record.sequence} 张卡（{record.card_number}）的{_LABELS[column]}“{value}”：{wrong}。",
    )
