"""The rules of one roster row: what is refused, warned of, put right (docs/interfaces/roster.md).

All independent defects of a row are named. Nothing here raises: a roster has a million rows, and a bad one
never stops the others.
"""

import re
from collections.abc import Callable, Collection, Sequence
from datetime import date
from functools import partial

from xueka.contexts.registry.domain.columns import Layout
from xueka.contexts.registry.domain.report import printable, sentence, shown
from xueka.contexts.registry.domain.roster import (
    CELL_LIMIT,
    CLASS_LIMIT,
    NAME_LIMIT,
    RosterRow,
    Rules,
    Twins,
    Verdict,
    is_blank,
)
from xueka.contexts.registry.domain.vocabulary import (
    CITIZEN_FORM,
    ID_TYPES,
    NO_DOCUMENT,
    STAGES,
    STATUSES,
    id_type,
)
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, LineProblem
from xueka.kernel.identifiers import (
    Reason,
    birth_date_of,
    citizen_id_problem,
    clean_id,
    clean_phone,
    education_id_problem,
    national_number_problem,
    phone_problem,
    sex_of,
)
from xueka.kernel.masking import mask_all, mask_id, mask_name, mask_phone
from xueka.kernel.text import compact, normalise, parse_date, parse_sex

FIX = "请核对后改正本行，再导入一次；其余各行不受影响。"
# What is left of a character that some earlier program could not represent.
_DAMAGED = re.compile("[?？\ufffd□*＊]")
_SCIENTIFIC = re.compile(r"\d(?:\.\d+)?E\+?\d{1,2}", re.ASCII)
# How a value of a personal column is shown whatever it holds; the others are no secret.
_MASKS: dict[str, Callable[[str], str]] = {
    "id_number": mask_id,
    "national_number": mask_id,
    "guardian_name": mask_name,
    "guardian_phone": mask_phone,
    "address": mask_all,
}
_OTHER_NUMBER = re.compile(r"[0-9A-Z()（）]{5,30}", re.ASCII)


def judge(
    cells: Sequence[str], line: int, layout: Layout, rules: Rules, twins: Twins | None = None
) -> Verdict:
    """Judge one row. `cells` are the texts of its line, `line` counts the header as 1."""
    verdict = Verdict()
    if extra := _width_problem(cells, line, layout):
        verdict.errors.append(extra)
        return verdict
    row = _Judge(cells, line, layout, rules, twins or Twins(), verdict).row()
    if verdict.errors:
        verdict.warnings.clear()
    else:
        verdict.row = row
    return verdict


def _width_problem(cells: Sequence[str], line: int, layout: Layout) -> LineProblem | None:
    width = len(cells)
    if width == layout.width or (width > layout.width and is_blank(cells[layout.width :])):
        return None
    text = (
        f"第 {line} 行：本行有 {width} 列，表头有 {layout.width} 列，各列可能已经错位。"
        "请检查本行是否少了分隔符，或内容里多了没有加引号的逗号；其余各行不受影响。"
    )
    return LineProblem(line, "", "COLUMN_COUNT", str(width), text)


class _Judge:
    """One row on the bench."""

    def __init__(
        self, cells: Sequence[str], line: int, layout: Layout, rules: Rules, twins: Twins, verdict: Verdict
    ) -> None:
        self.cells, self.line, self.layout, self.rules, self.twins = cells, line, layout, rules, twins
        self.verdict = verdict

    def row(self) -> RosterRow:
        school_code = self.school_code()
        stage = self.one_of("stage", STAGES, "STAGE_UNKNOWN", "学段无法识别")
        grade = self.grade(stage)
        class_name = self.short_text("class_name", CLASS_LIMIT, "CLASS", "班级")
        name = self.name()
        sex = self.sex()
        birth_date = self.birth_date()
        kind = self.one_of("id_type", ID_TYPES, "ID_TYPE_UNKNOWN", "证件类型无法识别", read=id_type)
        number = self.id_number(kind, birth_date, sex)
        national_number = self.national_number(kind, number)
        education_id = self.education_id()
        status = self.one_of("status", STATUSES, "STATUS_UNKNOWN", "学籍状态无法识别")
        return RosterRow(
            education_id,
            name,
            sex,
            birth_date.isoformat() if birth_date else "",
            kind,
            number,
            national_number,
            status,
            school_code,
            stage,
            grade,
            class_name,
            self.free_text("guardian_name"),
            self.phone(),
            self.free_text("address"),
        )

    # --- saying what is wrong ---

    def refuse(
        self, key: str, code: str, what: str, *, value: str, expected: str = "", action: str = FIX
    ) -> None:
        self.verdict.errors.append(self.problem(key, code, what, value, expected, action))

    def warn(self, key: str, code: str, what: str, *, value: str, expected: str, action: str) -> None:
        self.verdict.warnings.append(self.problem(key, code, what, value, expected, action))

    def problem(self, key: str, code: str, what: str, value: str, expected: str, action: str) -> LineProblem:
        column = self.layout.labels[key]
        text = sentence(self.line, column, what, value=value, expected=expected, action=action)
        return LineProblem(self.line, column, code, value, text)

    def cell(self, key: str) -> str:
        """The raw text of a column; an overlong one is refused and read as empty from then on."""
        text = self.cells[self.layout.positions[key]]
        if len(text) > CELL_LIMIT:
            self.refuse(
                key,
                "CELL_TOO_LONG",
                f"内容过长，有 {len(text)} 个字",
                value=shown(_MASKS.get(key, str)(text)),
                expected=f"{CELL_LIMIT} 字以内",
            )
            return text[:CELL_LIMIT]
        return text

    # --- the columns, in the order of the file ---

    def school_code(self) -> str:
        code = compact(self.cell("school_code"))
        if code in self.rules.closed:
            self.refuse(
                "school_code",
                "SCHOOL_CLOSED",
                "学校已经撤销",
                value=shown(code),
                expected="学生现在的学校的标识码",
                action="请在学籍系统里把学生转到现在的学校。其余各行不受影响。",
            )
        elif code not in self.rules.schools:
            self.refuse(
                "school_code",
                "SCHOOL_UNKNOWN",
                "没有这所学校",
                value=shown(code),
                expected="学校名录中的 10 位学校标识码",
                action="请核对标识码；新学校请先导入学校名录。其余各行不受影响。",
            )
        return code

    def one_of(
        self,
        key: str,
        words: Collection[str],
        code: str,
        what: str,
        read: Callable[[str], str | None] | None = None,
    ) -> str:
        text = normalise(self.cell(key))
        found = read(text) if read else (text if text in words else None)
        if found is None:
            self.refuse(key, code, what, value=shown(text), expected="、".join(words))
            return ""
        return found

    def grade(self, stage: str) -> str:
        text = normalise(self.cell("grade"))
        highest = STAGES.get(stage, max(STAGES.values()))
        if text not in map(str, range(1, highest + 1)):
            self.refuse(
                "grade",
                "GRADE_INVALID",
                "年级不对",
                value=shown(text),
                expected=f"学段内的年级，1 至 {highest} 的数字",
            )
        return text

    def short_text(self, key: str, limit: int, code: str, what: str) -> str:
        text = normalise(self.cell(key))
        if not text:
            self.refuse(key, f"{code}_MISSING", f"{what}为空", value="", expected=what)
        elif len(text) > limit:
            self.refuse(
                key,
                f"{code}_TOO_LONG",
                f"{what}过长，有 {len(text)} 个字",
                value=shown(text),
                expected=f"{limit} 字以内",
            )
        elif printable(text, "") != text:
            self.refuse(key, f"{code}_CHARACTERS", f"{what}中有不可见的控制字符", value=shown(text))
        return text

    def name(self) -> str:
        text = self.short_text("name", NAME_LIMIT, "NAME", "姓名")
        if text and _DAMAGED.search(text):
            self.refuse(
                "name",
                "NAME_CHARACTERS",
                "姓名中有字符在转存时丢失，变成了问号或方框",
                value=shown(text),
                expected="完整的姓名",
                action="请用支持生僻字的编码（UTF-8 或 GB 18030）重新导出；其余各行不受影响。",
            )
        return text

    def sex(self) -> str:
        text = self.cell("sex")
        try:
            return parse_sex(text)
        except BadInput:
            self.refuse(
                "sex",
                "GENDER_UNKNOWN",
                "性别无法识别",
                value=shown(normalise(text)),
                expected="男、女（或代码 1、2）",
            )
            return ""

    def birth_date(self) -> date | None:
        text = self.cell("birth_date")
        try:
            day = parse_date(text)
        except BadInput:
            day = None
        if day is None or day > clock.today():
            self.refuse(
                "birth_date",
                "DATE_INVALID",
                "日期无法识别、不存在或晚于今天",
                value=shown(normalise(text)),
                expected="真实的日期，例如 2015-09-01",
            )
            return None
        return day

    def id_number(self, kind: str, birth_date: date | None, sex: str) -> str:
        number = clean_id(self.cell("id_number"))
        judge_number = citizen_id_problem if kind in CITIZEN_FORM else partial(_other_number_problem, kind)
        if reason := judge_number(number):
            # What has lost its digits identifies nobody, and showing it is what explains the mishap.
            value = number if _SCIENTIFIC.fullmatch(number) else shown(mask_id(number))
            self.refuse("id_number", reason.code, reason.message, value=value, expected=reason.expected)
        elif kind and number:
            if kind in CITIZEN_FORM:
                self.check_against_number(number, birth_date, sex)
            self.check_twins("id_number", "ID_DUPLICATE", self.twins.id_number, mask_id(number), "同一证件")
        return number

    def check_against_number(self, number: str, birth_date: date | None, sex: str) -> None:
        if birth_date and birth_date != birth_date_of(number):
            part = "月日" if birth_date.year == birth_date_of(number).year else "年份"
            self.refuse(
                "birth_date",
                "BIRTH_DATE_MISMATCH",
                f"出生日期与证件号码第 7 至 14 位不一致，{part}不同",
                value=f"{birth_date.year}-**-**",
                expected="证件号码中的出生日期",
                action="请核对证件，改正其中有误的一项，再导入一次；其余各行不受影响。",
            )
        if sex and sex != sex_of(number):
            self.refuse(
                "sex",
                "GENDER_MISMATCH",
                "性别与证件号码第 17 位不一致",
                value=sex,
                expected=sex_of(number),
                action="请核对证件，改正其中有误的一项，再导入一次；其余各行不受影响。",
            )

    def national_number(self, kind: str, number: str) -> str:
        national = clean_id(self.cell("national_number"))
        if not national:
            return ""
        reason = national_number_problem(national, number if kind in CITIZEN_FORM else None)
        if reason is None:
            return national
        kept = reason.code == "NATIONAL_NUMBER_MISMATCH"
        self.warn(
            "national_number",
            reason.code,
            reason.message,
            value=shown(mask_id(national)),
            expected=reason.expected,
            action="本行已导入，学籍号照原样保留；请在学籍系统中核对。"
            if kept
            else "本行已导入，学籍号没有采用；请核对后补正。",
        )
        return national if kept else ""

    def education_id(self) -> str:
        value = compact(self.cell("education_id"))
        if reason := education_id_problem(value, self.rules.education_id_pattern):
            self.refuse(
                "education_id",
                reason.code,
                "教育ID格式不符" if value else "教育ID为空",
                value=shown(value),
                expected=reason.expected,
            )
            return ""
        self.check_twins(
            "education_id", "EDUCATION_ID_DUPLICATE", self.twins.education_id, value, "同一教育ID"
        )
        return value

    def phone(self) -> str:
        phone = clean_phone(self.cell("guardian_phone"))
        if phone and (reason := phone_problem(phone)):
            self.warn(
                "guardian_phone",
                reason.code,
                reason.message,
                value=shown(mask_phone(phone)),
                expected=reason.expected,
                action="本行已导入，但没有采用这个手机号；请向监护人核对后补正。",
            )
            return ""
        return phone

    def free_text(self, key: str) -> str:
        return printable(normalise(self.cell(key)), " ")

    def check_twins(self, key: str, code: str, lines: Sequence[int], value: str, what: str) -> None:
        if lines:
            listed = "、".join(map(str, lines[:5])) + ("等" if len(lines) > 5 else "")
            self.refuse(
                key,
                code,
                f"与第 {listed} 行重复，{what}在一份名册中只能出现一次",
                value=value,
                action="这几行都没有导入，请核对后只保留正确的一行；其余各行不受影响。",
            )


def _other_number_problem(kind: str, number: str) -> Reason | None:
    """What is wrong with the number of a passport, a permit or another document; "" is an unknown kind."""
    if kind == NO_DOCUMENT:
        return Reason("ID_UNEXPECTED", "证件类型为无证件，却填了证件号码", "空白") if number else None
    if not kind or _OTHER_NUMBER.fullmatch(number):
        return None
    if not number:
        return Reason("ID_MISSING", "证件号码为空", "证件上的号码")
    if _SCIENTIFIC.fullmatch(number):
        return Reason(
            "ID_LOST_DIGITS", "证件号码被表格软件当作数字，末尾几位已丢失", "完整的号码；该列请设为“文本”格式"
        )
    return Reason("ID_FORMAT", "证件号码格式不符", "5 至 30 位字母或数字")
