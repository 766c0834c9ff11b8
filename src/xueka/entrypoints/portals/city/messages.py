"""Short messages: what was sent and what became of it, the texts, the rules, who wants no reminders."""

from django.conf import settings
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Action, Badge, Confirm, Empty, Link
from xueka.entrypoints.portals.objects import shapes
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view
from xueka.platform.messages import opting, queries, sending, templates
from xueka.platform.messages.models import STATES, WAYS, Message, OptOut

DAYS, SHOWN = 7, 200
_TONES = {"queued": "wait", "sent": "progress", "delivered": "ok", "failed": "bad", "withheld": "stop"}


def badge(row: Message) -> Badge:
    return Badge(STATES[row.state], _TONES[row.state])


@require_GET
@portal_view(queries.READ)
def listing(request: StaffRequest) -> HttpResponse:
    names = {each.code: each.name for each in templates.all_versions()}
    rows = DataList(
        request,
        queries.rows(),
        name="messages",
        caption="短信",
        columns=[
            Column("时间", "created_at", sort="made", kind="code"),
            Column("内容", lambda row: queries.name_of(row.template)),
            Column("收件", "shown_to", kind="code"),
            Column("状态", badge),
            Column("说明", "problem", minor=True),
            Column("条", "parts", kind="number", minor=True),
        ],
        sorts={"made": ("created_at", "id")},
        default_sort="-made",
        filters=[
            Filter(
                "state", "状态", lambda rows, code: rows.filter(state=code), list(STATES.items()), kind="tabs"
            ),
            Filter("template", "内容", lambda rows, code: rows.filter(template=code), list(names.items())),
            Filter("kind", "类别", lambda rows, code: rows.filter(kind=code), list(templates.KINDS.items())),
        ],
        unit="条",
        empty=Empty("没有短信", "验证码、受理回执、办理结果和提醒发出后，出现在这里。", icon="message"),
    )
    tallies = queries.counts(DAYS)
    shown = {
        "days": DAYS,
        "heads": list(STATES.values()),
        "tallies": [
            (
                each.name,
                each.kind,
                [(words, each.states.get(state, 0)) for state, words in STATES.items()],
                each.parts,
            )
            for each in tallies
        ],
        "list": rows,
        "waits_since": queries.oldest_waiting(),
        "actions": [
            Action("模板", reverse("city:message_templates"), icon="template"),
            Action("规则与退订", reverse("city:message_rules"), icon="bell-off"),
        ],
    }
    return render(request, "city/messages.html", shown)


@require_POST
@portal_view(queries.READ)
def find(request: StaffRequest) -> HttpResponse:
    index = queries.index_of_typed(request.actor, request.POST.get("phone", ""))
    return redirect("city:message_phone", index.hex())


@require_GET
@portal_view(queries.READ)
def phone(request: StaffRequest, index: str) -> HttpResponse:
    """One phone, each look on record; the address holds its blind index, which only `find` makes."""
    try:
        key = bytes.fromhex(index)
    except ValueError:
        raise Http404 from None
    with transaction.atomic():
        found = queries.open_phone(request.actor, key)
    if not found.shown:
        return render(request, "city/message_phone.html", {"empty": _NOTHING, "back": _back()})
    names = shapes.Names()
    shown = {
        "phone": found.shown,
        "rows": [
            (
                row.created_at,
                queries.name_of(row.template),
                queries.text_of(row),
                badge(row),
                row.problem,
                row.ended_at,
            )
            for row in found.messages
        ],
        "replies": [(row.at, queries.reply_text(row)) for row in found.replies],
        "wishes": [
            (
                row.at,
                WAYS[row.way],
                names[row.by],
                row.words,
                row.ended_at,
                WAYS.get(row.ended_way, ""),
                names[row.ended_by],
                _again(row) if request.actor.may(opting.MANAGE) and not row.ended_at else None,
            )
            for row in found.wishes
        ],
        "back": _back(),
    }
    return render(request, "city/message_phone.html", shown)


@require_GET
@portal_view(queries.READ)
def texts(request: StaffRequest) -> HttpResponse:
    approvals = templates.approvals()
    newest = {each.code: each.version for each in templates.all_versions()}
    shown = {
        "rows": [
            (
                each.name,
                each.wire,
                f"第 {each.version} 版",
                Badge("在用", "ok") if newest[each.code] == each.version else Badge("旧版", "ended"),
                templates.KINDS[each.kind],
                each.text,
                approvals.get(each.wire, ""),
            )
            for each in sorted(templates.all_versions(), key=lambda each: (each.code, -each.version))
        ],
        "values": [(f"{{{name}}}", words) for name, words in templates.value_words().items()],
        "back": _back(),
    }
    return render(request, "city/message_templates.html", shown)


@require_GET
@portal_view(queries.READ)
def rules(request: StaffRequest) -> HttpResponse:
    may = request.actor.may(opting.MANAGE)
    quiet, limits = sending.quiet_hours(), sending.limits()
    found = list(queries.opt_outs()[: SHOWN + 1])
    names = shapes.Names()
    shown = {
        "facts": [
            ("免打扰时段", f"{quiet}，只发验证码" if quiet else "没有"),
            ("每个号码每天", _most(limits.phone_day, "条，验证码不计")),
            ("全市每分钟", _most(limits.city_minute, "条")),
            ("全市每天", _most(limits.city_day, "条，验证码不计")),
            ("全市每天的验证码", _most(limits.codes_day, "条")),
            ("短信网关", "已接" if settings.MESSAGE_PARTNER.exists() else "没有接，短信都等着"),
        ],
        "consent": opting.CONSENT,
        "rows": [
            (
                row.shown_to,
                row.at,
                WAYS[row.way],
                names[row.by],
                row.words,
                Badge("已恢复", "ended") if row.ended_at else Badge("不发提醒", "stop"),
                row.ended_at,
                _again(row) if may and not row.ended_at else None,
            )
            for row in found[:SHOWN]
        ],
        "more": f"只列最近 {SHOWN} 条；更早的请在“短信”里按号码查。" if len(found) > SHOWN else "",
        "may": may,
        "back": _back(),
        "empty": Empty(
            "没有人退订", "家长回复 TD、在家长页面关闭，或来电要求的，出现在这里。", icon="bell-off"
        ),
    }
    return render(request, "city/message_rules.html", shown)


@require_POST
@portal_view(opting.MANAGE)
def refuse(request: StaffRequest) -> HttpResponse:
    new = opting.write_down(request.actor, request.POST.get("phone", ""), request.POST.get("reason", ""))
    flash(request, "已登记，不再向这个号码发提醒。" if new else "这个号码已经退订。")
    return redirect("city:message_rules")


@require_POST
@portal_view(opting.MANAGE)
def want(request: StaffRequest, opt_out_id: int) -> HttpResponse:
    done = opting.take_back(request.actor, opt_out_id)
    flash(request, f"{done.shown_to} 重新接收提醒。")
    return redirect("city:message_rules")


_NOTHING = Empty("没有这个号码的短信", "核对号码；没有在学校登记的号码不会收到短信。", icon="message-off")


def _again(row: OptOut) -> Action:
    sure = Confirm("恢复提醒", f"{row.shown_to} 要求重新接收提醒短信。", "恢复")
    return Action("恢复", reverse("city:message_want", args=[row.pk]), "post", "bell", confirm=sure)


def _back() -> Link:
    return Link("短信", reverse("city:messages"))


def _most(number: int, unit: str) -> str:
    return f"{number:,} {unit}" if number else "不限"
