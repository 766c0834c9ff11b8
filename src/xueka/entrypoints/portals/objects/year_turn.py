"""Schools in the turn of the school year, as a district and the city see them."""

from django.urls import reverse

from xueka.contexts.schoolyear import api as year
from xueka.entrypoints.design.ui import Action, Badge, Confirm

_TURN = {
    "": ("未办", "neutral"),
    "waiting": ("预览中", "progress"),
    "planned": ("待确认", "wait"),
    "idle": ("无需办理", "ended"),
    "blocked": ("受阻", "stop"),
    "done": ("已办", "ok"),
    "failed": ("没有办成", "bad"),
}


def badge(state: str) -> Badge:
    label, tone = _TURN[state]
    return Badge(label, tone)


def rows(turns: list[year.Turn]) -> list[dict[str, object]]:
    return [
        {
            "school": each.school.name,
            "code": each.school.code,
            "lists": f"{each.lists} / {each.classes}",
            "graduation": badge(each.graduation),
            "promotion": badge(each.promotion),
        }
        for each in turns
    ]


def start(kind: str, level: str, place: str, tone: str = "default") -> Action:
    """Begin a job for a place; the preview comes first in any case."""
    label = {"district": "全区", "school": "本校"}[level] + year.KINDS[kind]
    return Action(
        label,
        reverse("objects:year_create", args=[kind]),
        "post",
        {"graduation": "school", "promotion": "stairs-up"}[kind],
        tone,
        confirm=Confirm(label, "先看预览，确认后才办。", "开始预览") if level == "district" else None,
        params={"level": level, "place": place},
    )
