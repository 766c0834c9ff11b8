"""A card kind as configuration: its fields in words, what they may hold, and what a change changes."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from xueka.contexts.cards.domain.reviewing import LEVELS
from xueka.kernel.errors import BadInput

Fields = Mapping[str, Any]

#: Every field that may be changed while a kind is in force, in the order of the page.
LABELS = {
    "name": "名称",
    "is_open": "开放申领",
    "review_levels": "审核级",
    "photo_required": "要照片",
    "photo_printed": "印照片",
    "consent_required": "要监护人同意",
    "validity_years": "有效学年数",
    "transit_source": "一卡通号来源",
    "transit_pattern": "一卡通号格式",
    "beijing_tong_source": "北京通号来源",
    "beijing_tong_pattern": "北京通号格式",
    "face_template": "卡面模板",
    "coupled_with": "成对使用的卡种",
    "lost_effects": "挂失何时生效",
}
#: Those that an application keeps as they were when it was opened; the others follow the kind in force.
KEPT = ("review_levels", "photo_required", "consent_required")
SOURCES = {"none": "没有", "allocate": "从号段发", "bind": "空白卡自带"}
LEVEL_LABELS = {"school": "学校", "district": "区", "city": "市"}


class Change(NamedTuple):
    """One field of a kind, before and after, in words."""

    field: str
    label: str
    before: str
    after: str


def difference(before: Fields, after: Fields) -> list[Change]:
    """What is not the same, in the order of the page."""
    return [
        Change(field, label, words(field, before[field]), words(field, after[field]))
        for field, label in LABELS.items()
        if before[field] != after[field]
    ]


def words(field: str, value: Any) -> str:
    """A value as a person reads it."""
    if isinstance(value, bool):
        return "是" if value else "否"
    if field == "review_levels":
        return "、".join(LEVEL_LABELS.get(each, each) for each in value) or "不审核"
    if field in ("transit_source", "beijing_tong_source"):
        return SOURCES.get(value, str(value))
    if field == "lost_effects":
        return "；".join(" ".join(each.values()) for each in value) if value else "同随附配置"
    return str(value) if value not in (None, "") else "—"


def check(fields: Fields, kinds: Sequence[str], own: str) -> None:
    """Raise BadInput `KIND_FIELD` for the first field that cannot be so; `kinds` are the codes that exist."""
    for field, wrong, expected in _problems(fields, kinds, own):
        if wrong:
            raise BadInput(
                "KIND_FIELD",
                f"“{LABELS[field]}”不能这样设。",
                where=LABELS[field],
                found=words(field, fields[field]),
                expected=expected,
            )


def _problems(fields: Fields, kinds: Sequence[str], own: str) -> list[tuple[str, bool, str]]:
    levels = fields["review_levels"]
    years = fields["validity_years"]
    partner = fields["coupled_with"]
    return [
        ("name", not 0 < len(str(fields["name"]).strip()) <= 64, "1 至 64 个字"),
        (
            "review_levels",
            levels != [each for each in LEVELS if each in levels],
            "学校、区、市，按此顺序",
        ),
        ("photo_printed", bool(fields["photo_printed"] and not fields["photo_required"]), "印照片的须要照片"),
        ("validity_years", not isinstance(years, int) or not 1 <= years <= 20, "1 至 20"),
        ("transit_source", fields["transit_source"] not in SOURCES, "、".join(SOURCES.values())),
        (
            "beijing_tong_source",
            fields["beijing_tong_source"] not in ("none", "allocate"),
            "没有，或从号段发",
        ),
        ("transit_pattern", not _is_pattern(fields["transit_pattern"]), "64 字符内的正则表达式"),
        (
            "beijing_tong_pattern",
            not _is_pattern(fields["beijing_tong_pattern"]),
            "64 字符内的正则表达式",
        ),
        ("face_template", not 0 < len(str(fields["face_template"])) <= 32, "卡面模板的代号"),
        ("coupled_with", partner is not None and (partner == own or partner not in kinds), "另一个卡种"),
        ("lost_effects", not _are_effects(fields["lost_effects"]), "每行：系统，何时生效，说明（可不填）"),
    ]


def _is_pattern(text: Any) -> bool:
    if not isinstance(text, str) or not 0 < len(text) <= 64:
        return False
    try:
        re.compile(text)
    except re.error:
        return False
    return True


def _are_effects(value: Any) -> bool:
    if value is None:
        return True
    return bool(value) and all(
        set(each) <= {"system", "when", "note"} and each.get("system") and each.get("when") for each in value
    )
