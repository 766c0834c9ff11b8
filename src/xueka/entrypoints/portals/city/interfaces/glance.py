"""All interfaces on one page, and one of them: how it stands, over time, and what waits for a person."""

from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from xueka.contexts.interop import api as interop
from xueka.entrypoints.design import formats
from xueka.entrypoints.design.ui import Action, Empty, Fact, Link, ObjectHead
from xueka.entrypoints.portals.city.interfaces import words
from xueka.kernel import clock
from xueka.platform.exchange import queries as exchange
from xueka.platform.exchange.standing import EXCHANGE, KINDS, Standing
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

SHOWN = 20


@require_GET
@portal_view(words.READ)
def page(request: StaffRequest) -> HttpResponse:
    found = interop.standings(request.actor)
    bad = [each for each in found if each.health[0] != "good"]
    shown = {
        "sub": f"{len(found)} 个接口，{len(bad)} 个要看。" if bad else f"{len(found)} 个接口，都正常。",
        "actions": [
            Action("消息追踪", reverse("city:trace"), icon="route"),
            Action("核对差异", reverse("city:interface_differences"), icon="git-compare"),
        ],
        "rows": [_row(each) for each in found],
        "empty": Empty("还没有接口", "对接方的参数文件放到位之后，接口出现在这里。", icon="plug-connected"),
    }
    return render(request, "city/interfaces/glance.html", shown)


@require_GET
@portal_view(words.READ)
def one(request: StaffRequest, code: str) -> HttpResponse:
    found = interop.standing_of(request.actor, code)
    is_exchange = found.kind == EXCHANGE
    shown = {
        "found": found,
        "head": _head(request, found),
        "why": found.health[1],
        "hours": [
            (f"{clock.local(each.begins):%-H} 时", each) for each in interop.hours(request.actor, code)
        ],
        "days": [(f"{clock.local(each.begins):%-m-%-d}", each) for each in interop.days(request.actor, code)],
        "measures": list(interop.MEASURES.values()),
        "quality": _quality(request, code) if is_exchange else [],
        "is_exchange": is_exchange,
        "back": Link("接口总览", reverse("city:interfaces")),
    }
    if is_exchange:
        shown |= {
            "dead": _dead(code),
            "comparisons": list(interop.comparisons(request.actor, code)[:10]),
            "dead_url": words.places(found)["dead"],
        }
    return render(request, "city/interfaces/one.html", shown)


def _row(each: Standing) -> dict[str, object]:
    to = words.places(each)
    return {
        "name": Link(each.name, to["page"]),
        "kind": KINDS[each.kind],
        "health": words.health(each),
        "why": each.health[1],
        "waiting": Link(f"{each.waiting:,}", to["waiting"]),
        "oldest": formats.seconds(each.oldest_seconds) if each.waiting or each.oldest_seconds else "—",
        "dead": Link(f"{each.dead:,}", to["dead"]),
        "differences": Link(f"{each.differences:,}", to["differences"]) if each.kind == EXCHANGE else "—",
        "moved": Link(f"{each.sent:,} / {each.received:,}", to["moved"]),
        "breaker": words.breaker(each) if each.kind == EXCHANGE else "—",
        "answered": each.answered_at,
        "quality": Link(words.quality(each), f"{to['page']}#quality") if words.quality(each) else "—",
    }


def _head(request: StaffRequest, found: Standing) -> ObjectHead:
    to = words.places(found)
    actions = []
    if found.kind == EXCHANGE:
        actions = [
            Action("发出的消息", reverse("city:interface_messages", args=[found.code]), icon="send"),
            Action("收到的消息", reverse("city:interface_received", args=[found.code]), icon="inbox"),
        ]
        if request.actor.may(words.MANAGE) and found.usable:
            actions.append(
                Action("按书签补发", reverse("city:interface_bookmark", args=[found.code]), icon="repeat")
            )
    asking = words.ask(request, found.code, ("interface", found.code), f"{found.name}接口", found.health[1])
    return ObjectHead(
        found.name,
        kind=KINDS[found.kind],
        state=words.health(found),
        facts=[
            Fact("等待", Link(f"{found.waiting:,}", to["waiting"])),
            Fact("最早的等了", formats.seconds(found.oldest_seconds) if found.oldest_seconds else "—"),
            Fact("在重试", f"{found.failing:,}"),
            Fact("等人处理", Link(f"{found.dead:,}", to["dead"])),
            *(
                [
                    Fact("核对差异", Link(f"{found.differences:,}", to["differences"])),
                    Fact("通路", words.breaker(found)),
                ]
                if found.kind == EXCHANGE
                else []
            ),
            Fact("最近成功", found.answered_at),
            Fact("今天发出", f"{found.sent:,}"),
            Fact("今天收到", f"{found.received:,}"),
            Fact("今天未成", f"{found.failed:,}"),
        ],
        actions=[*actions, *asking],
    )


def _quality(request: StaffRequest, code: str) -> list[tuple[str, list[str]]]:
    """By day, a share of each measure or a gap."""
    today = clock.today()
    days = [today - timedelta(days=each) for each in range(30)][::-1]
    rows = interop.quality(request.actor, code, days[0], today)
    known = {(each.day, each.measure): each.good / each.total for each in rows if each.total}
    return [
        (f"{day:%-m-%-d}", [words.share(known.get((day, measure))) for measure in interop.MEASURES])
        for day in days
    ]


def _dead(code: str) -> list[dict[str, object]]:
    """Both directions, the oldest first."""
    rows: list[Any] = [*exchange.dead_letters(code)[:SHOWN], *exchange.incoming_dead_letters(code)[:SHOWN]]
    return [
        {
            "way": words.WAYS[words.way_of(each)],
            "link": words.message_link(words.way_of(each), each),
            "key": each.stream.key,
            "kind": each.kind,
            "why": words.why(each.code, each.problem),
            "at": each.ended_at,
        }
        for each in rows
    ]
