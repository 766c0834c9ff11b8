"""Parcels with couriers: where each is, what is wrong with some, how well the couriers do."""

from datetime import date

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.couriers import api as couriers
from xueka.entrypoints.design import formats, states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Action, Badge, Confirm, Empty, Event, Fact, Link, ObjectHead
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel import clock
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_MOST = 200  # problems on one page
_GOOD = ("signed", "out_of_locker")
_BAD = ("attempt_failed", "refused", "returning", "returned", "problem", "pickup_failed")


@require_GET
@portal_view(couriers.WORK)
def listing(request: StaffRequest) -> HttpResponse:
    rows = DataList(
        request,
        couriers.rows(request.actor.scope),
        name="parcels",
        caption="运件",
        columns=[
            Column("运件", "number", kind="code"),
            Column("寄往", _to),
            Column("承运", "carrier", minor=True),
            Column("状态", lambda row: states.badge("shipment", row.state)),
            Column("最近轨迹", _last, minor=True),
            Column("应到", "expected_on", kind="number"),
            Column("下单", "created_at", sort="made", kind="number", minor=True),
        ],
        sorts={"made": ("created_at", "id"), "expected": ("expected_on", "id")},
        default_sort="-made",
        filters=[
            Filter(
                "state", "状态", lambda found, code: found.filter(state=code), list(couriers.SHIPMENT.choices)
            ),
            Filter("kind", "去向", lambda found, code: found.filter(kind=code), list(couriers.KINDS.items())),
            Filter("q", "运件、运单、配送单、补换单、卡号或学校", couriers.found, kind="search"),
        ],
        url=lambda row: reverse("city:parcel", args=[row.number]),
        label=lambda row: row.number,
        unit="件",
        empty=Empty(
            "还没有运件", "在配送单上向承运商下单，或柜台邮寄补换的卡，运件出现在这里。", icon="package"
        ),
    )
    shown = {
        "title": "运件跟踪",
        "sub": "每个运件装了哪些卡、现在在谁手里。签收以承运商查询证实的为准，入柜不算。",
        "actions": [
            Action("承运商评分", reverse("city:scorecard"), icon="chart-bar"),
            Action("区级收寄地址", reverse("objects:district_places"), icon="home"),
        ],
        "list": rows,
    }
    return render(request, "objects/list.html", shown)


@require_GET
@portal_view(couriers.WORK)
def parcel(request: StaffRequest, number: str) -> HttpResponse:
    found = couriers.shipment(request.actor.scope, number)
    waybills = list(found.waybills.select_related("box").order_by("position"))
    names = shapes.Names()
    shown = {
        "found": found,
        "head": ObjectHead(
            title=found.number,
            kind=couriers.KINDS[found.kind],
            state=states.badge("shipment", found.state),
            facts=[
                Fact("寄往", _to(found)),
                Fact("承运", found.carrier),
                Fact("应到", found.expected_on),
                Fact("交出", found.handed_over_at),
                Fact("签收", found.delivered_at),
                Fact("装有", f"{found.contents.count()} 张卡"),
                *([Fact("未能下单", found.why)] if found.why else []),
                *([Fact("拦截", couriers.INTERCEPTS[found.intercept])] if found.intercept else []),
            ],
            actions=_actions(found, bool(waybills)),
        ),
        "trouble": found.last_error,
        "own_label": found.label_said,
        "events": events_of(found),
        "waybills": [
            (
                each.number,
                "母运单" if each.position == 1 and len(waybills) > 1 else f"{each.position}/{len(waybills)}",
                Link(each.box.number, reverse("objects:box", args=[each.box.number])) if each.box else "",
            )
            for each in waybills
        ],
        "custody": [
            (couriers.HOLDERS[each.holder], each.at, names[each.by]) for each in found.custody.order_by("seq")
        ],
        "problems": [
            (
                couriers.PROBLEMS[each.kind],
                _situation(each),
                each.opened_at,
                each.closed_at,
                each.note,
                None if each.closed_at else _settled(each),
            )
            for each in found.problems.order_by("-id")
        ],
        "links": [_source(found)],
        "back": Link("运件跟踪", reverse("city:parcels")),
    }
    return render(request, "city/parcel.html", shown)


@require_POST
@portal_view(couriers.WORK, atomic=False)
def label(request: StaffRequest, number: str) -> HttpResponse:
    """The courier may be asked for it, so that this opens its transactions itself."""
    found = couriers.shipment(request.actor.scope, number)
    answer = HttpResponse(couriers.labels(request.actor, found.id), content_type="application/pdf")
    answer.headers["Content-Disposition"] = f'attachment; filename="{found.number}.pdf"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


@require_POST
@portal_view(couriers.WORK)
def act(request: StaffRequest, number: str, verb: str) -> HttpResponse:
    found = couriers.shipment(request.actor.scope, number)
    note = request.POST.get("note", "")
    if verb == "hand":
        couriers.hand_over(request.actor, found.id)
        flash(request, f"{number} 已登记交给快递。")
    elif verb == "cancel":
        couriers.cancel(request.actor, found.id)
        flash(request, f"已要求{found.carrier}取消 {number}。", "wait")
    elif verb == "lose":
        couriers.lose(request.actor, found.id, note)
        flash(request, f"{number} 已登记丢失，里面的卡已作废，重新制卡。", "wait")
    elif verb == "intercept":
        couriers.ask_intercept(request.actor, found.id, note)
        flash(request, f"已要求{found.carrier}拦截退回。", "wait")
    else:
        raise Http404
    return redirect("city:parcel", number)


@require_GET
@portal_view(couriers.WORK)
def problems(request: StaffRequest) -> HttpResponse:
    waiting = couriers.problems(request.actor.scope).order_by("opened_at", "id")
    rows = list(waiting[: _MOST + 1])
    shown = {
        "rows": [
            (
                Badge(couriers.PROBLEMS[each.kind], "bad"),
                Link(each.shipment.number, reverse("city:parcel", args=[each.shipment.number])),
                [waybill.number for waybill in each.shipment.waybills.all()][:1],
                _to(each.shipment),
                each.shipment.carrier,
                states.badge("shipment", each.shipment.state),
                _situation(each),
                formats.age(each.opened_at),
                _settled(each),
            )
            for each in rows[:_MOST]
        ],
        "more": f"先列最早的 {_MOST} 件，处理后后面的会接着出现。" if len(rows) > _MOST else "",
        "empty": Empty(
            "没有问题运件", "迟到、不动、拒收、退回、丢失和承运商不收的，会出现在这里。", icon="circle-check"
        ),
    }
    return render(request, "city/parcel_problems.html", shown)


@require_POST
@portal_view(couriers.WORK)
def settle(request: StaffRequest, problem_id: int) -> HttpResponse:
    done = couriers.close(request.actor, problem_id, request.POST.get("note", ""))
    flash(request, f"{done.shipment.number}：{couriers.PROBLEMS[done.kind]}，已处理。")
    return redirect("city:parcel_problems")


@require_GET
@portal_view(couriers.WORK)
def scorecard(request: StaffRequest) -> HttpResponse:
    """A month at a time, by the day of the hand-over."""
    first = _month(request.GET.get("month", ""))
    following = _after(first)
    last = date.fromordinal(following.toordinal() - 1)
    before = date.fromordinal(first.toordinal() - 1).replace(day=1)
    shown = {
        "month": f"{first:%Y年%-m月}",
        "rows": [
            (
                each.carrier,
                each.handed_over,
                each.delivered,
                _share(each.on_time, each.delivered),
                _share(each.first_attempt, each.delivered),
                _share(each.lost, each.ended),
                _share(each.damaged, each.delivered),
                each.returned,
                each.open_late,
            )
            for each in couriers.scorecard(request.actor.scope, first, last)
        ],
        "earlier": f"{reverse('city:scorecard')}?month={before:%Y-%m}",
        "later": f"{reverse('city:scorecard')}?month={following:%Y-%m}" if following <= clock.today() else "",
        "back": Link("运件跟踪", reverse("city:parcels")),
        "empty": Empty("这个月没有交出运件", "按交给承运商的日子统计。", icon="chart-bar"),
    }
    return render(request, "city/scorecard.html", shown)


def events_of(found: couriers.Shipment) -> list[Event]:
    """What the courier said, newest first; what nobody has confirmed says so."""
    return [
        Event(
            couriers.STATUSES[each.status],
            each.at,
            detail=" ".join(
                part
                for part in (
                    each.place,
                    each.remark,
                    "" if each.confirmed_at else "（推送，查询未证实，不作数）",
                )
                if part
            ),
            tone="ok" if each.status in _GOOD else "bad" if each.status in _BAD else "neutral",
        )
        for each in reversed(couriers.events(found))
    ]


def _actions(found: couriers.Shipment, numbered: bool) -> list[Action]:
    def to(verb: str) -> str:
        return reverse("city:parcel_act", args=[found.number, verb])

    shown = []
    label = reverse("city:parcel_label", args=[found.number])
    ours = found.kind == "school"  # a card that goes home is the counter's to hand over
    if found.state == "ordered" and ours:
        shown += [
            Action("打印面单", label, "post", "printer", "primary"),
            Action("交给快递", to("hand"), "post", "truck-delivery"),
        ]
    elif numbered and found.address and ours:
        shown.append(Action("打印面单", label, "post", "printer"))
    if found.state in ("asked", "ordered") and found.courier == "sf" and ours:
        cancel = Confirm("取消运件", "还没有揽收的可以取消；已经揽收的，承运商会照常派送。", "取消运件")
        shown.append(Action("取消", to("cancel"), "post", "x", "danger", confirm=cancel))
    if found.handed_over_at and found.state in couriers.FOLLOWED:
        lost = Confirm(
            "登记丢失",
            "承运商确认找不到了。里面的卡立即作废，申领回到制卡队列，重新制卡。",
            "登记丢失",
            "required",
            reason_label="承运商怎么说",
        )
        shown.append(Action("登记丢失", to("lose"), "post", "package-off", "danger", confirm=lost))
    if found.state == "lost" and found.courier == "sf" and found.intercept in ("", "refused"):
        back = Confirm(
            "找到了，拦截退回",
            "卡已作废，不能再发给学生。请承运商退回，收回后销毁。",
            "拦截退回",
            "required",
            reason_label="在哪里找到的",
        )
        shown.append(Action("找到了，拦截退回", to("intercept"), "post", "arrow-back-up", confirm=back))
    return shown


def _situation(problem: couriers.Problem) -> str:
    """What whoever calls the courier has to know: why, by when, and what was heard last."""
    shipment = problem.shipment
    due = f"应到 {formats.short_day(shipment.expected_on)}" if problem.kind == "late" else ""
    heard = _last(shipment)
    return "；".join(part for part in (due, problem.said, heard and f"最近 {heard}") if part)


def _settled(problem: couriers.Problem) -> Action:
    return Action(
        "已处理",
        reverse("city:parcel_problem", args=[problem.id]),
        "post",
        "check",
        confirm=Confirm(
            "已处理", couriers.PROBLEMS[problem.kind], "已处理", "required", reason_label="怎么处理的"
        ),
    )


def _to(row: couriers.Shipment) -> str:
    return row.school.name if row.kind == "school" else f"{row.school.name}学生家"


def _last(row: couriers.Shipment) -> str:
    if not row.status:
        return ""
    return f"{couriers.STATUSES[row.status]} {formats.compact(row.status_at)}"


def _source(found: couriers.Shipment) -> Link:
    if found.delivery:
        number = found.delivery.number
        return Link(number, reverse("city:delivery", args=[number]), "配送单", "truck-delivery")
    assert found.replacement is not None
    number = found.replacement.number
    return Link(number, reverse("objects:replacement", args=[number]), "补卡换卡", "refresh")


def _share(part: int, whole: int) -> str:
    return f"{part} / {whole}（{formats.percent(part, whole)}）" if whole else "—"


def _month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        return clock.today().replace(day=1)


def _after(first: date) -> date:
    return first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
