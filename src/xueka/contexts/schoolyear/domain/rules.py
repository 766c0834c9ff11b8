"""Kinds of job, what each does, and the words for what is left alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

PROMOTION, GRADUATION, NEW_CLASSES, CLASSES = "promotion", "graduation", "new_classes", "classes"
MERGE, CLOSE, RENAME, EXCHANGE = "merge", "close", "rename", "exchange"
LEAVERS = "leavers"

KINDS = {
    GRADUATION: "毕业",
    PROMOTION: "升级",
    NEW_CLASSES: "建新生班",
    CLASSES: "班级调整",
    MERGE: "合并学校",
    RENAME: "学校更名",
    CLOSE: "撤销学校",
    EXCHANGE: "换卡准备",
    LEAVERS: "离校处理",
}

SCHOOL_KINDS = (GRADUATION, PROMOTION, NEW_CLASSES, CLASSES)
"""What a school or a district may do for itself; the rest is the city's."""

ONCE_A_YEAR = (GRADUATION, PROMOTION)
MOVING = (GRADUATION, PROMOTION, CLASSES, MERGE, LEAVERS)

LEVEL_PERMISSION = {
    "city": "city:year:manage",
    "district": "district:year:manage",
    "school": "school:year:manage",
}

#: Why a student (or a card) stays as it is: code → words of the preview and of the result.
WONT = {
    "suspended": "休学，不升级",
    "repeat": "留级",
    "final": "毕业年级，不升级，另办毕业",
    "transfer": "转学待确认，先办完转学",
    "already": "本学年已升入现在的年级",
    "new_entrant": "本学年新生，已在起始年级",
    "changed": "预览之后学生有变动，没有办",
    "moved_on": "之后又有变动，不能恢复",
    "submitted": "申领已提交或已办理，不能收回",
    "class_in_use": "班里已有学生，不能撤销",
    "carried_out": "已经注销，不能恢复",
    "closed_application": "申领已关闭，不能恢复，需要时重新申领",
    "renamed_again": "之后又改过名",
    "in_use": "申领正在制卡或配送，照常发放",
    "no_target": "没有可去的班",
    "already_gone": "已不在籍",
    "held": "一次缺失的人太多，须由人逐一确认",
    "waiting": "还没有满期限，也没有人确认",
}

CHOICES = {"repeat": "留级", "leave": "离校", "class": "换班"}
LEAVING = ("转出", "退学")


@dataclass(frozen=True, slots=True)
class CardRule:
    """What becomes of a graduate's card: keep, limit or cancel; the day is that of the graduation's year."""

    card: str
    month: int = 12
    day: int = 31

    def on(self, year: int) -> date:
        return date(year, self.month, self.day)


def read_card_rules(written: Mapping[str, Mapping[str, Any]]) -> dict[str, CardRule]:
    """From the configuration; an unknown word raises ValueError at the start, not in September."""
    found = {}
    for stage, rule in written.items():
        if rule["card"] not in ("keep", "limit", "cancel"):
            raise ValueError(f"graduates.{stage}.card: {rule['card']!r}")
        month, day = rule.get("day", (12, 31))
        found[stage] = CardRule(rule["card"], month, day)
    return found


def school_year(today: date, season_begins: tuple[int, int]) -> int:
    """The year in which the school year begins that a job of today turns to."""
    return today.year if (today.month, today.day) >= season_begins else today.year - 1


def season_start(year: int, season_begins: tuple[int, int]) -> date:
    return date(year, *season_begins)


def school_year_label(year: int) -> str:
    return f"{year}–{year + 1} 学年"


def needs_second_person(kind: str, level: str, kinds: list[str], levels: list[str]) -> bool:
    return kind in kinds or level in levels


def free_name(wanted: str, taken: set[str]) -> str:
    """`wanted`, or the next N班 that nobody has: classes of a merged school beside those that are there."""
    if wanted not in taken:
        return wanted
    number = 1
    while f"{number}班" in taken:
        number += 1
    return f"{number}班"
