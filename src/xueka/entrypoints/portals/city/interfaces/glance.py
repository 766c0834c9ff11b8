"""All interfaces on one page, and one of them: how it stands, over time, and what waits for a person."""

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.interop import api as interop
from xueka.contexts.registry import api as registry
from xueka.entrypoints.design import formats
from xueka.entrypoints.design.age_strip import AgeStrip
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.ui import Action, Badge, Empty, Fact, Link, ObjectHead
from xueka.entrypoints.portals.city.interfaces import words
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, XuekaError
from xueka.platform.exchange import own_keys
from xueka.platform.exchange import queries as exchange
from xueka.platform.exchange.counterparts import counterpart
from xueka.platform.exchange.standing import EXCHANGE, KINDS, REGISTRY, Standing
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

SHOWN = 20
_COMPARED = (EXCHANGE, REGISTRY)
_UNLIKE = 5  # schools named on the page


@require_GET
@portal_view(words.READ)
def page(request: StaffRequest) -> HttpResponse:
    found = interop.standings(request.actor)
    bad = [each for each in found if each.health[0] != "good"]
    ages = interop.ages(request.actor)
    shown = {
        "sub": f"{len(found)} 个接口，{len(bad)} 个要看。" if bad else f"{len(found)} 个接口，都正常。",
        "actions": [
            Action("消息追踪", reverse("city:trace"), icon="route"),
            Action("核对差异", reverse("city:interface_differences"), icon="git-compare"),
        ],
        "rows": [_row(request.actor, each, ages.get(each.code, [])) for each in found],
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
        **_quality(request, found),
        "is_exchange": is_exchange,
        "is_compared": found.kind in _COMPARED,
        "back": Link("接口总览", reverse("city:interfaces")),
    }
    here = reverse("city:interface", args=[code])
    if is_exchange:
        shown |= {
            "dead": _dead(code, newest := request.GET.get("dead") == "newest"),
            "dead_sorted": "descending" if newest else "ascending",
            "dead_icon": "chevron-down" if newest else "chevron-up",
            "dead_sort_url": f"{here}#dead" if newest else f"{here}?dead=newest#dead",
            "dead_url": words.places(request.actor, found)["dead"],
            **_comparing(request, code),
            **_keys(code),
        }
    elif found.kind == REGISTRY:
        shown |= _comparing_schools(request, code)
    return render(request, "city/interfaces/one.html", shown)


@require_GET
@portal_view(words.READ)
def comparing(request: StaffRequest, code: str) -> HttpResponse:
    """The part of the page that is asked for again while something is compared."""
    return render(request, "city/interfaces/comparing.html", _comparing(request, code))


@require_POST
@portal_view(words.MANAGE)
def compare(request: StaffRequest, code: str) -> HttpResponse:
    """Now, not at night: the worker does it, this page shows it."""
    asked = interop.ask_comparison(request.actor, code, request.POST.get("dataset", ""))
    flash(request, f"{interop.DATASET_NAMES[asked.dataset]}：几秒内开始核对，结果在下面。")
    return redirect(f"{reverse('city:interface', args=[code])}#comparing")


def _row(actor: Actor, each: Standing, ages: list[tuple[datetime, int | None]]) -> dict[str, object]:
    to = words.places(actor, each)
    return {
        "name": Link(each.name, to["page"]),
        "kind": KINDS[each.kind],
        "health": words.health(each),
        "why": each.health[1],
        "waiting": Link(f"{each.waiting:,}", to["waiting"]),
        "oldest": formats.seconds(each.oldest_seconds) if each.oldest_seconds else "",
        "ages": AgeStrip(
            f"{each.name}近 24 小时最久的等待",
            [(f"{clock.local(hour):%-H} 时", seconds) for hour, seconds in ages],
            each.in_time,
        ),
        "dead": Link(f"{each.dead:,}", to["dead"]),
        "differences": Link(f"{each.differences:,}", to["differences"]) if each.kind in _COMPARED else "—",
        "settling": each.settling,
        "moved": Link(f"{each.sent:,} / {each.received:,}", to["moved"]),
        "answered": each.answered_at,
        "quality": Link(words.quality(each), f"{to['page']}#quality") if words.quality(each) else "—",
    }


def _head(request: StaffRequest, found: Standing) -> ObjectHead:
    to = words.places(request.actor, found)
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
                    Fact("已办，待核对", f"{found.settling:,}"),
                ]
                if found.kind in _COMPARED
                else []
            ),
            Fact("通路", words.breaker(found)),
            Fact("最近成功", found.answered_at),
            Fact("今天发出", f"{found.sent:,}"),
            Fact("今天收到", f"{found.received:,}"),
            Fact("今天未成", f"{found.failed:,}"),
            *(Fact(word, told) for word, told in found.notes),
        ],
        actions=[*actions, *asking],
    )


def _comparing(request: StaffRequest, code: str) -> dict[str, object]:
    try:
        found = interop.datasets(request.actor, counterpart(code))
    except BadInput:  # its file is broken; what was compared is still there
        found = []
    names = shapes.Names()
    called = interop.DATASET_NAMES
    return {
        "datasets": [_dataset(code, each, names) for each in found],
        "comparisons": [
            (called.get(each.dataset, each.dataset), each)
            for each in interop.comparisons(request.actor, code)[:10]
        ],
        "comparing": any(each.runs for each in found),
        "comparing_url": reverse("city:interface_comparing", args=[code]),
        "may_compare": request.actor.may(words.MANAGE),
    }


def _comparing_schools(request: StaffRequest, code: str) -> dict[str, object]:
    """The same of the student registry, which is compared by itself after each fetch."""
    found = interop.school_round(request.actor)
    done = interop.comparisons(request.actor, code)[:10]
    return {
        "datasets": [_round(found)] if found else [],
        "comparisons": [(interop.DATASET_NAMES[each.dataset], each) for each in done],
        "comparing": False,
        "may_compare": False,
    }


def _round(found: interop.SchoolRound) -> dict[str, object]:
    last = found.comparison
    if last is None:
        state = Badge(f"正在核对，已 {found.schools:,} 校", "progress")
    elif last.problem:
        state = Badge("没有核对成", "bad")
    else:
        state = Badge(f"{last.differing:,} 项差异", "wait") if last.differing else Badge("一致", "ok")
    said = [found.problem] if found.problem else []
    if found.known:
        reasons = (f"{registry.KNOWN_ALONE[why]} {many:,} 人" for why, many in sorted(found.known.items()))
        said.append(f"一边没有而原因已知：{'、'.join(reasons)}。")
    if found.unlike:
        named = "、".join(
            f"{code}（本方 {ours:,}，学籍 {theirs:,}）" for code, ours, theirs, _ in found.unlike[:_UNLIKE]
        )
        more = f" 等 {len(found.unlike)} 校" if len(found.unlike) > _UNLIKE else ""
        said.append(f"有差异的学校：{named}{more}。")
    if found.unasked:
        said.append(f"{found.unasked:,} 校学籍系统没有名单。")
    return {
        "name": "在籍学生（按校）",
        "state": state,
        "words": " ".join(said),
        "at": last.finished_at if last else None,
    }


def _dataset(code: str, each: interop.Dataset, names: shapes.Names) -> dict[str, object]:
    last, asked = each.last, each.asked
    said = ""
    if each.runs:
        state = Badge("正在核对", "progress")
        if asked and asked.ended_at is None:
            said = f"{names[asked.asked_by]}，{formats.moment(asked.asked_at)}"
    elif asked and asked.problem and (last is None or asked.asked_at > last.finished_at):
        state, said = Badge("没有核对成", "bad"), asked.problem
    elif last is None:
        state = Badge("还没有核对过")
    elif last.problem:
        state, said = Badge("没有核对成", "bad"), last.problem
    elif last.differing:
        state = Badge(f"{last.differing:,} 项差异", "wait")
    else:
        state = Badge("一致", "ok")
    return {
        "name": interop.DATASET_NAMES[each.code],
        "state": state,
        "words": said,
        "at": last.finished_at if last else None,
        "action": Action(
            "立即核对",
            reverse("city:interface_compare", args=[code]),
            "post",
            "git-compare",
            disabled_reason=each.blocked,
            params={"dataset": each.code},
        ),
    }


def _keys(code: str) -> dict[str, object]:
    """What both sides read to each other on the telephone; nothing where no SM2 is used."""
    try:
        partner = counterpart(code)
        ours = own_keys.signing(code) if partner.sending.private else ()
    except XuekaError:  # its file is broken, or ours is locked
        return {}
    return {
        "own_keys": [
            {
                "number": each.number,
                "since": each.since,
                "fingerprint": each.public.fingerprint,
                "pem": each.public.to_pem().decode("ascii"),
            }
            for each in ours
        ],
        "their_keys": partner.receiving.public,
    }


def _quality(request: StaffRequest, found: Standing) -> dict[str, object]:
    """What the measures mean, and by day a share of each that applies or a gap."""
    means = interop.meaning(found.code, found.kind)
    taken = [each for each in interop.MEASURES if each in means and means[each].applies]
    today = clock.today()
    days = [today - timedelta(days=each) for each in range(30)][::-1]
    rows = interop.quality(request.actor, found.code, days[0], today)
    known = {(each.day, each.measure): each.good / each.total for each in rows if each.total}
    return {
        "measures": [interop.MEASURES[each] for each in taken],
        "quality": [
            (f"{day:%-m-%-d}", [words.share(known.get((day, measure))) for measure in taken]) for day in days
        ],
        "meanings": [
            {
                "name": interop.MEASURES[each],
                "words": means[each].words if means[each].applies else f"不适用：{means[each].words}",
                "newest": words.share(found.quality.get(each)) if means[each].applies else "—",
            }
            for each in interop.MEASURES
            if each in means
        ],
    }


def _dead(code: str, newest: bool) -> list[dict[str, object]]:
    """Both directions in one order, by age; the oldest first, for it holds back what came after it."""
    out, came = exchange.dead_letters(code), exchange.incoming_dead_letters(code)
    if newest:
        out, came = out.reverse(), came.reverse()
    rows: list[Any] = sorted([*out[:SHOWN], *came[:SHOWN]], key=words.begun, reverse=newest)[:SHOWN]
    return [
        {
            "way": words.WAYS[words.way_of(each)],
            "link": words.message_link(words.way_of(each), each),
            "key": words.key(each.stream.key),
            "kind": words.kind_of_message(each.kind),
            "why": words.why(each.code, each.problem),
            "at": words.begun(each),
            "age": formats.age(words.begun(each)),
            "ended": each.ended_at,
        }
        for each in rows
    ]
