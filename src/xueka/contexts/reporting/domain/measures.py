"""What is counted each day, how long each step takes, and the words for them."""

from collections.abc import Iterable, Sequence
from itertools import accumulate

#: Measure → (machine, events, states the object comes to; empty: any).
MEASURES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "submitted": ("application", ("submit",), ()),
    "returned": ("application", ("send_back",), ()),
    "refused": ("application", ("refuse",), ()),
    "accepted": ("application", ("submit", "approve"), ("accepted",)),
    "ordered": ("card", ("order", "issue"), ()),
    "made": ("card", ("make", "finish"), ()),
    "failed": ("card", ("fail", "spoil"), ()),
    "dispatched": ("card", ("dispatch",), ()),
    "received": ("card", ("receive",), ()),
    "handed_out": ("card", ("hand_out", "give"), ()),
    "lost": ("card", ("report_lost",), ()),
    "cancelled": ("card", ("cancel",), ()),
    "voided": ("card", ("void",), ()),
}

LABELS = {
    "submitted": "提交申领",
    "returned": "退回修改",
    "refused": "不予受理",
    "accepted": "受理",
    "ordered": "下单",
    "made": "制成",
    "failed": "制卡失败",
    "dispatched": "发运",
    "received": "到校",
    "handed_out": "发放",
    "lost": "挂失",
    "cancelled": "注销",
    "voided": "作废",
}

#: Step → (label, machine, the state that is waited in, events that end the wait well).
STEPS: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "school_review": ("学校审核", "application", "school_review", ("approve", "send_back", "refuse")),
    "district_review": ("区级审核", "application", "district_review", ("approve", "send_back", "refuse")),
    "city_review": ("市级受理", "application", "city_review", ("approve", "send_back", "refuse")),
    "batching": ("组批", "application", "accepted", ("order",)),
    "making": ("卡厂制卡", "card", "ordered", ("make",)),
    "packing": ("装箱", "card", "made", ("pack",)),
    "dispatching": ("发运", "card", "packed", ("dispatch",)),
    "carrying": ("配送", "card", "in_transit", ("receive",)),
    "handing_out": ("发放", "card", "at_school", ("hand_out",)),
    "issuing": ("柜台制卡", "application", "at_counter", ("issue",)),
}
#: From the first submission to the hand of the student; not one wait but all of them.
WHOLE = "whole"
STEP_LABELS = {code: step[0] for code, step in STEPS.items()} | {WHOLE: "全程（提交到发放）"}

#: Open work by age: upper ends in days (included), and the words.
AGES: tuple[tuple[int | None, str], ...] = (
    (3, "3 天内"),
    (7, "4–7 天"),
    (14, "8–14 天"),
    (30, "15–30 天"),
    (None, "超过 30 天"),
)


def quantile(hours: Iterable[tuple[int, int]], share: float) -> int | None:
    """The smallest number of hours within which at least `share` of the cases ended.

    `hours` holds (whole hours, cases); None where there is no case.
    """
    ordered = sorted(hours)
    total = sum(count for _, count in ordered)
    if not total:
        return None
    sums: Sequence[int] = list(accumulate(count for _, count in ordered))
    needed = share * total
    return next(hour for (hour, _), so_far in zip(ordered, sums, strict=True) if so_far >= needed)
