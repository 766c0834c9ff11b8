"""The rules of one row of an officer list (docs/interfaces/officers.md)."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from xueka.kernel.errors import LineProblem
from xueka.kernel.masking import mask_id, mask_phone
from xueka.kernel.text import compact, normalise

ROLES = {
    "school_officer": ("学校卡管老师", "卡管老师"),
    "school_reviewer": ("学校审核人", "审核人"),
    "district_officer": ("区级卡管员", "区卡管员"),
}
_CODES = {word: code for code, words in ROLES.items() for word in (code, *words)}
_USERNAME = re.compile(r"[a-z][a-z0-9._-]{2,31}", re.ASCII)
_PHONE = re.compile(r"1[3-9]\d{9}", re.ASCII)
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,180}\.[A-Za-z]{2,20}")
_LONG_NUMBER = re.compile(r"\d{11,}")
FIX = "请改正本行，再导入一次；其余各行不受影响。"


class OfficerRow(NamedTuple):
    """An accepted row. `school` is "" for a district role; `username` "" where the list leaves it open."""

    line: int
    name: str
    phone: str
    email: str
    role: str
    district: str
    school: str
    username: str


@dataclass(frozen=True, slots=True)
class Judge:
    """`labels` is what the file calls each column; `schools` the districts of the schools one may name."""

    labels: Mapping[str, str]
    schools: Mapping[str, str]
    districts: Mapping[str, str]
    roles: frozenset[str]

    def judge(self, texts: Mapping[str, str], line: int) -> tuple[OfficerRow | None, list[LineProblem]]:
        """The row, or every independent defect of it."""
        errors: list[LineProblem] = []

        def refuse(key: str, code: str, what: str, value: str, expected: str = "") -> None:
            errors.append(self.problem(line, key, code, what, value, expected))

        name = normalise(texts.get("name", ""))
        phone = re.sub(r"[\s-]", "", compact(texts.get("phone", "")))
        email, username = compact(texts.get("email", "")), compact(texts.get("username", ""))
        said = compact(texts.get("role", ""))
        role = _CODES.get(said, "")
        if not 1 <= len(name) <= 64:
            refuse("name", "NAME_EMPTY", "姓名不对", name[:20], "使用者本人的姓名，一人一号")
        if not _PHONE.fullmatch(phone):
            refuse("phone", "PHONE_FORMAT", "手机号不对", mask_phone(phone[:20]), "11 位手机号")
        if email and not _EMAIL.fullmatch(email):
            refuse("email", "EMAIL_FORMAT", "电子邮箱不对", "", "例如 zhou@example.edu.cn，可留空")
        if username and not _USERNAME.fullmatch(username):
            expected = "3–32 个字符，小写字母开头，可含数字、点、连字符；可留空"
            refuse("username", "USERNAME_FORMAT", "用户名不对", username[:40], expected)
        if role not in self.roles:
            words = "、".join(words[0] for code, words in ROLES.items() if code in self.roles)
            refuse("role", "ROLE_UNKNOWN", "不能开立这个角色", said[:20], words)
        district, school = self._place(role, texts, refuse)
        if errors:
            return None, errors
        return OfficerRow(line, name, phone, email.lower(), role, district, school, username), []

    def problem(
        self, line: int, key: str, code: str, what: str, value: str, expected: str = ""
    ) -> LineProblem:
        column = self.labels.get(key, "")
        value = _LONG_NUMBER.sub(lambda number: mask_id(number[0]), value)[:40]  # of a shifted column
        read = f"读到“{value}”" if value else "读到空白" if code.endswith(("EMPTY", "MISSING")) else ""
        wanted = f"应为{expected}" if expected else ""
        told = "，".join(part for part in (read, wanted) if part)
        text = f"第 {line} 行「{column}」：{what}。{told + '。' if told else ''}{FIX}"
        return LineProblem(line, column, code, value, text)

    def _place(self, role: str, texts: Mapping[str, str], refuse: Callable[..., None]) -> tuple[str, str]:
        school, district = compact(texts.get("school", "")), compact(texts.get("district", ""))
        if role == "district_officer":
            if school:
                refuse("school", "SCOPE_MISMATCH", "区级角色不填学校", school, "空白")
            if district not in self.districts:
                refuse("district", "DISTRICT_UNKNOWN", "区代码不对", district, "本市的六位区代码")
            return district, ""
        if school not in self.schools:
            refuse("school", "SCHOOL_UNKNOWN", "没有这所学校，或它不归您管", school, "名录中的学校标识码")
        elif district and district != self.schools[school]:
            refuse("district", "DISTRICT_MISMATCH", "学校不在这个区", district, self.schools[school])
        return self.schools.get(school, ""), school


def doubled(rows: Sequence[OfficerRow]) -> dict[int, tuple[str, str, list[int]]]:
    """Lines that contradict each other: line → (code, what, the other lines). All of them are refused."""
    found: dict[int, tuple[str, str, list[int]]] = {}
    seats: dict[tuple[str, str, str, str], list[OfficerRow]] = {}
    phones: dict[str, list[OfficerRow]] = {}
    names: dict[str, list[OfficerRow]] = {}
    for row in rows:
        seats.setdefault((row.phone, row.role, row.district, row.school), []).append(row)
        phones.setdefault(row.phone, []).append(row)
        if row.username:
            names.setdefault(row.username, []).append(row)
    for same in seats.values():
        if len(same) > 1:
            _mark(found, same, "ROW_TWICE", "同一人的同一角色写了两次")
    for same in names.values():
        if len({row.phone for row in same}) > 1:
            _mark(found, same, "USERNAME_TWICE", "同一个用户名给了两个人")
    for same in phones.values():
        if len({row.name for row in same}) > 1:
            _mark(found, same, "PHONE_TWO_NAMES", "同一个手机号写了两个姓名，账号不得共用")
    return found


def _mark(found: dict[int, tuple[str, str, list[int]]], rows: list[OfficerRow], code: str, what: str) -> None:
    for row in rows:
        found[row.line] = (code, what, [other.line for other in rows if other.line != row.line])
