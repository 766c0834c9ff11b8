"""Reasons for another print, and what is used up by one."""

from typing import NamedTuple

#: Why a card is printed again. The first print needs no reason.
REPRINT_REASONS = {
    "not_printed": "上次没有印出",
    "smeared": "印花、印偏",
    "faint": "颜色浅、有白线",
    "jammed": "卡住、划伤",
    "wrong_data": "卡面内容有误",
    "other": "其他（须写明）",
}

#: Why a plastic is thrown away.
SPOIL_REASONS = {
    "print": "印坏",
    "chip": "芯片写坏",
    "damaged": "划伤、折断",
    "other": "其他（须写明）",
}


class SupplySort(NamedTuple):
    """A consumable: its words, how many prints a full one holds, at how many left a warning is due, and
    whether it is the plastic itself.
    """

    code: str
    label: str
    unit: str
    capacity: int
    low: int
    blanks: bool = False


def level(left: int, low: int) -> str:
    """ok, low or empty."""
    return "empty" if left <= 0 else "low" if left <= low else "ok"
