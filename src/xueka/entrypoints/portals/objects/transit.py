"""Transit validity for whoever serves a family: found by card or student, looked up there, audited."""

from collections.abc import Sequence

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.cards import api as cards
from xueka.contexts.transit import api as transit
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.ui import Badge, Empty, Link
from xueka.entrypoints.portals.objects import shapes
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_MOST = 20
_TONES = {"valid": "ok", "ending": "wait", "ended": "bad", "never": "neutral"}
_SAID = {
    "answered": "已是一卡通公司现在的数据。",
    "older": "一卡通公司这次答复的数据比已有的旧，仍显示较新的一份。",
    "unknown": "一卡通公司没有这张卡的记录。请过一天再查，仍没有请联系客服。",
    "silent": "一卡通公司没有及时答复，{shown}请稍后再查。",
    "unusable": "一卡通公司的答复无法识别，{shown}请稍后再查。",
    "resting": "一卡通公司几次没有答复，暂不查询，{shown}请半分钟后再查。",
}
_PARTLY = "有的卡已是现在的数据；其余的一卡通公司没有及时答复，请稍后再查。"


def said_of_look_up(outcomes: Sequence[str], known: bool) -> tuple[str, str]:
    """Words and tone of how look-ups ended, the worst of them; `known`: there is something to show."""
    worst = next((each for each in reversed(_SAID) if each in outcomes), "unknown")
    if worst in ("silent", "resting") and "answered" in outcomes:
        return _PARTLY, "wait"
    shown = "显示的是上次的数据。" if known else "还没有可以显示的数据。"
    return _SAID[worst].format(shown=shown), "ok" if worst == "answered" else "wait"


def standing_badge(known: transit.Known | None) -> Badge:
    return Badge(known.words, _TONES[known.standing]) if known else Badge("还没有数据", "neutral")


@require_GET
@portal_view(transit.READ)
def page(request: StaffRequest) -> HttpResponse:
    """Found by the number of the card (any of its numbers), the education ID, or a part of the name."""
    text = request.GET.get("q", "").strip()
    found = []
    if text:
        rows = cards.find_cards(cards.card_rows(request.actor.scope), text).exclude(transit_number="")
        found = list(rows.select_related("student__school", "kind").order_by("-id")[:_MOST])
    known = transit.known_of([each.id for each in found])
    shown = {
        "asked": text,
        "rows": [
            (_link(each), each, known.get(each.id), standing_badge(known.get(each.id))) for each in found
        ],
        "full": len(found) == _MOST,
        "most": _MOST,
        "may_ask": transit.connected(),
        "unknown": Empty(
            "没有找到", "请核对卡号、一卡通号、教育ID或姓名；没有一卡通号的卡不能查。", icon="bus"
        ),
    }
    return render(request, "objects/transit.html", shown)


@require_POST
@portal_view(transit.READ, atomic=False)
def ask(request: StaffRequest, number: str) -> HttpResponse:
    """Ask the company now."""
    done = transit.look_up(request.actor, number)
    flash(request, *said_of_look_up([done.outcome], done.known is not None))
    return redirect(f"{reverse('objects:transit')}?q={number}")


def _link(card: cards.Card) -> Link:
    return Link(
        card.number, reverse("objects:card", args=[card.number]), note=shapes.class_of(card.school_class)
    )
