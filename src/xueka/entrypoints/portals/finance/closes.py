"""The weekly close: the weeks with their due days, and one week as a guided page."""

from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.closing import api as closing
from xueka.contexts.payments import api as payments
from xueka.entrypoints.design import formats
from xueka.entrypoints.design.downloads import attachment
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.ui import Action, Badge, Confirm, Fact, Link, Step, Tile
from xueka.entrypoints.portals.finance import looks, weeks
from xueka.entrypoints.portals.finance.home import reconcile_action
from xueka.entrypoints.portals.finance.nav import READ
from xueka.entrypoints.portals.finance.weeks import Week
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.history import queries as history
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

PREPARE, SIGN, REMIT = "city:close:prepare", "city:close:sign", "city:close:remit"
#: What stands against signing → the step on which it is worked off.
_STEP_OF = {
    "STATEMENT_MISSING": "statements",
    "NOT_RECONCILED": "reconcile",
    "BREAK_UNSIGNED": "breaks",
    "RECEIPTS_NOT_COLLECTED": "receipts",
}
_TONES = {"open": "wait", "prepared": "wait", "signed": "progress", "remitted": "ok"}
_SHOWN = 60


@require_GET
@portal_view(READ)
def week_list(request: StaffRequest) -> HttpResponse:
    """Every week that is over since money first moved, the newest first."""
    scope = request.actor.scope
    found = closing.weeks(scope)
    numbers = {each.pk: each for each in closing.closes(scope)}
    old = [each for each in found if each.is_old]
    overdue = [each for each in found if each.is_overdue]
    unremitted = sum(each.to_remit_fen for each in numbers.values() if each.state == "signed")
    shown = {
        "tiles": [
            Tile(
                "待签署的周",
                sum(each.is_open for each in found),
                "过完了、还没有签署的周",
                None,
                "wait" if any(each.is_open for each in found) else "ok",
                "calendar-week",
                "周",
            ),
            Tile(
                "过了应结日",
                len(overdue),
                "应结日是周日后的第二个工作日",
                None,
                "bad" if overdue else "ok",
                "calendar-due",
                "周",
            ),
            Tile(
                "超过 7 天",
                len(old),
                "按约定不应有超过 7 天未结的周",
                None,
                "bad" if old else "ok",
                "alert-triangle",
                "周",
            ),
            Tile(
                "已签署、待上缴",
                formats.yuan(unremitted),
                "登记了一般缴款书号才算上缴",
                None,
                "wait" if unremitted else "ok",
                "building-bank",
            ),
        ],
        "rows": [
            (
                Link(each.name, reverse("finance:close", args=[each.name])),
                Week(each.monday).label,
                _due(each),
                Badge(closing.WEEK_STATES[each.state], _TONES[each.state]),
                f"{each.days_open} 天",
                numbers.get(each.close_id or 0),
            )
            for each in found[:_SHOWN]
        ],
        # Every document is read for it: done when asked for.
        "chain": closing.check_chain(scope) if request.GET.get("check") == "chain" else None,
        "check": Action("逐个核对", "?check=chain", icon="checks"),
    }
    return render(request, "finance/closes.html", shown)


@require_GET
@portal_view(READ)
def one(request: StaffRequest, name: str) -> HttpResponse:
    """One week: what it comes to, what is still open step by step, and the one button that comes next."""
    actor, week = request.actor, _week(name)
    found = closing.proposal(actor.scope, week.monday, lines=False)
    close = closing.close(actor.scope, found.close_id) if found.close_id else None
    remitted = _slips(close)
    shown = {
        "week": week,
        "found": found,
        "state": Badge(closing.WEEK_STATES.get(found.state, found.state), _TONES.get(found.state, "neutral")),
        "due": formats.short_day(found.due),
        "back": Link("周结", reverse("finance:closes")),
        "actions": _actions(actor, week, found, close),
        "steps": _steps(found, remitted),
        "blocks": [(each, _where(week, each.code)) for each in found.blocks],
        "channels": [
            (
                looks.CHANNELS[each.channel],
                looks.settlement(each.settlement),
                each,
                "" if each.settlement == payments.DIRECT else formats.yuan(each.to_remit_fen),
                formats.yuan(each.confirmed_fen) if each.settlement == payments.DIRECT else "",
                payments.FEE_BEARERS.get(each.fee_bearer, ""),
                _remitted(actor, close, each, remitted.get(each.channel)),
            )
            for each in found.channels
        ],
        "sums": _sums(found),
        "receipts": _receipts(found),
        "carried": [
            (
                looks.order_link(each.order),
                looks.CHANNELS[each.channel],
                formats.yuan(each.gross_fen),
                each.carried,
            )
            for each in found.carried[:_SHOWN]
        ],
        "facts": _facts(close),
        "events": _events(close),
    }
    return render(request, "finance/close.html", shown)


@require_POST
@portal_view(PREPARE, SIGN, REMIT)
def act(request: StaffRequest, name: str, verb: str) -> HttpResponse:
    actor, week, note = request.actor, _week(name), request.POST.get("note", "")
    if verb == "receipts":
        kept = closing.collect_receipts(actor, week.monday, note)
        flash(request, f"已登记：开具 {kept.issued} 张，红票 {kept.red} 张，缺票 {kept.lacking} 笔。")
    elif verb == "prepare":
        made = closing.prepare(actor, week.monday)
        flash(request, f"已拟制 {made.number}，等另一位财务人员签署。")
    elif verb == "sign":
        made = closing.sign(actor, _seen(request, week))
        flash(request, f"已签署 {made.number}，账期关闭到 {formats.short_day(made.sunday)}。")
    elif verb == "drop":
        closing.drop(actor, _seen(request, week), note)
        flash(request, "已作废，可以重新拟制。")
    else:
        raise Http404
    return redirect("finance:close", name)


class SlipForm(WordedForm):
    slip = forms.CharField(label="一般缴款书号", max_length=40)
    on = forms.DateField(label="上缴日期", widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))


@require_http_methods(["GET", "POST"])
@portal_view(REMIT)
def remit(request: StaffRequest, name: str, channel: str) -> HttpResponse:
    """A channel's money of the week went to the treasury under the number of its slip."""
    actor, week = request.actor, _week(name)
    found = closing.proposal(actor.scope, week.monday, lines=False)
    to_remit = {each.channel: each.to_remit_fen for each in found.channels if each.to_remit_fen}
    if found.close_id is None or channel not in to_remit:
        raise Http404
    if request.method == "GET" and channel in _slips(closing.close(actor.scope, found.close_id)):
        flash(request, f"{looks.CHANNELS[channel]}这一周的钱已经登记上缴。")
        return redirect("finance:close", name)
    form = SlipForm(request.POST if request.method == "POST" else None, initial={"on": clock.today()})
    problem: XuekaError | None = None
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            made = closing.record_remittance(actor, found.close_id, channel, given["slip"], given["on"])
        except XuekaError as refusal:
            problem = refusal
        else:
            flash(request, f"{looks.CHANNELS[channel]} {formats.yuan(made.amount_fen)} 已登记上缴。")
            return redirect("finance:close", name)
    shown = {
        "title": f"{looks.CHANNELS[channel]} {found.name} 上缴国库",
        "sub": f"应缴 {formats.yuan(to_remit[channel])}，足额上缴，不扣手续费。",
        "form": form,
        "fields": [form["slip"], form["on"]],
        "problem": problem,
        "button": "登记上缴",
        "icon": "building-bank",
        "cancel": reverse("finance:close", args=[name]),
    }
    return render(request, "finance/form.html", shown, status=400 if problem or form.errors else 200)


@require_GET
@portal_view(READ)
def document(request: StaffRequest, name: str) -> HttpResponse:
    """The signed document, byte for byte, over which the signature was made."""
    close_id = _close_id(request.actor, _week(name))
    return attachment(
        f"周结-{name}.json", closing.document(request.actor.scope, close_id), "application/json"
    )


def _week(name: str) -> Week:
    found = weeks.named(name)
    if found is None or found.monday > clock.today():
        raise Http404
    return found


def _seen(request: StaffRequest, week: Week) -> int:
    """The close that the page showed, and no other that was prepared since; what is in it never changes."""
    found = closing.close_by(request.actor.scope, request.POST.get("close", ""))
    if found.monday != week.monday:
        raise Http404
    return int(found.pk)


def _close_id(actor: Actor, week: Week) -> int:
    found = closing.closes(actor.scope).filter(monday=week.monday).exclude(state="dropped").first()
    if found is None:
        raise Http404
    return int(found.pk)


def _slips(close: closing.Close | None) -> dict[str, closing.Remittance]:
    parts = close.parts.select_related("remittance") if close else []
    return {part.channel: part.remittance for part in parts if hasattr(part, "remittance")}


def _due(week: closing.Week) -> Badge | str:
    day = formats.short_day(week.due)
    return Badge(f"{day} 已过", "bad") if week.is_overdue else day


def _steps(found: closing.Proposal, remitted: dict[str, closing.Remittance]) -> list[Step]:
    """Statements, reconciliation, breaks, receipts, two people, treasury: the first open one is now."""
    open_ = {_STEP_OF[each.code]: each for each in found.blocks if each.code in _STEP_OF}
    labels = {"statements": "账单", "reconcile": "对账", "breaks": "差错", "receipts": "票据"}
    steps, now = [], True
    signed = found.state in ("signed", "remitted")
    for code, label in labels.items():
        block = None if signed else open_.get(code)
        early = code == "breaks" and not signed and "reconcile" in open_  # what was not compared is not right
        state = "todo" if early else "done" if block is None else "now" if now else "todo"
        now = now and block is None
        note = "" if block is None else f"{block.count} 项未完" if block.count > 1 else "未完"
        steps.append(Step(label, state, note))
    prepared = found.state != "open"
    ready = now and not found.blocks
    steps.append(Step("拟制", "done" if prepared else "now" if ready else "todo"))
    steps.append(Step("签署", "done" if signed else "now" if prepared else "todo", "另一人"))
    to_remit = [each for each in found.channels if each.to_remit_fen]
    note = f"{len(remitted)} / {len(to_remit)} 个渠道" if signed and to_remit else ""
    state = "done" if found.state == "remitted" else "now" if signed else "todo"
    return [*steps, Step("上缴国库", state, note)]


def _where(week: Week, code: str) -> Link | None:
    """Where a block is worked off."""
    match code:
        case "STATEMENT_MISSING":
            return Link("去看账单", f"{reverse('finance:statements')}?week={week.code}")
        case "BREAK_UNSIGNED":
            return Link("去看差错", f"{reverse('finance:breaks')}?week={week.code}")
        case "WEEK_BEFORE_OPEN" | "WEEK_PASSED":
            return Link("看各周", reverse("finance:closes"))
        case _:
            return None


def _actions(actor: Actor, week: Week, found: closing.Proposal, close: closing.Close | None) -> list[Action]:
    def post(verb: str, label: str, icon: str, tone: str = "default", **more: Any) -> Action:
        return Action(label, reverse("finance:close_act", args=[week.code, verb]), "post", icon, tone, **more)

    codes = {each.code for each in found.blocks}
    actions: list[Action] = []
    if found.state in ("open", "prepared") and actor.may(PREPARE):
        ready = "NOT_RECONCILED" in codes and "STATEMENT_MISSING" not in codes
        tone = "primary" if ready else "default"
        actions.append(reconcile_action(week, "close", tone))
        told = found.receipts
        body = f"开具 {told.issued} 张，红票 {told.red} 张，缺票 {told.lacking} 笔。"
        lacking = bool(told.lacking)
        sure = Confirm(
            "登记本周票据", body, "登记", "required" if lacking else "none", reason_label="缺票的原因"
        )
        first = codes == {"RECEIPTS_NOT_COLLECTED"}
        actions.append(
            post("receipts", "登记票据", "receipt-2", "primary" if first else "default", confirm=sure)
        )
    why = f"还有 {len(found.blocks)} 项没有办完" if found.blocks else ""
    if found.state == "open" and actor.may(PREPARE):
        tone = "default" if why else "primary"
        actions.append(post("prepare", "拟制", "file-pencil", tone, disabled_reason=why))
    if found.state == "prepared" and close and actor.may(SIGN):
        mine = "您自己拟制的，请另一位财务人员签署" if close.prepared_by == actor.username else why
        amounts = f"应缴 {formats.yuan(close.to_remit_fen)}，直达 {formats.yuan(close.confirmed_fen)}"
        seen = {"close": close.number}
        words = f"{amounts}。签署后账期关闭，不能改动。"
        sure = Confirm(f"签署 {close.number}", words, "签署")
        actions.append(
            post("sign", "签署", "signature", "primary", confirm=sure, disabled_reason=mine, params=seen)
        )
        gone = Confirm(f"作废 {close.number}", "可以重新拟制。", "作废", "required", reason_label="原因")
        actions.append(post("drop", "作废", "x", confirm=gone, params=seen))
    done = _slips(close) if found.state == "signed" and actor.may(REMIT) else None
    left = [each.channel for each in found.channels if each.to_remit_fen and each.channel not in (done or {})]
    if done is not None and left:
        url, label = reverse("finance:remit", args=[week.code, left[0]]), f"上缴{looks.CHANNELS[left[0]]}款项"
        actions.append(Action(label, url, icon="building-bank", tone="primary"))
    if found.state in ("signed", "remitted"):
        url = reverse("finance:close_document", args=[week.code])
        actions.append(Action("下载签名文件", url, icon="download"))
    export = f"{reverse('finance:week_file')}?week={week.code}"
    return [*actions, Action("导出 XLSX", export, icon="file-download")]


def _remitted(
    actor: Actor, close: closing.Close | None, each: closing.ChannelFigure, done: closing.Remittance | None
) -> Badge | Link | str:
    """How far the channel's money is, or the way to enter its slip."""
    if each.settlement == payments.DIRECT:
        return Badge("直达国库", "ok")
    if done is not None:
        return Badge(f"{done.slip_number}（{formats.short_day(done.on)}）", "ok")
    if close is None or close.state != "signed" or not each.to_remit_fen:
        return ""
    if not actor.may(REMIT):
        return Badge("待上缴", "wait")
    return Link("登记上缴", reverse("finance:remit", args=[Week(close.monday).code, each.channel]))


def _sums(found: closing.Proposal) -> dict[str, int]:
    names = ("orders", "gross_fen", "refunded_before_fen", "to_remit_fen", "confirmed_fen", "fees_fen")
    return {name: sum(getattr(each, name) for each in found.channels) for name in names}


def _receipts(found: closing.Proposal) -> list[Fact]:
    told = found.receipts
    return [
        Fact("从财政领取票号", f"{told.drawn} 个"),
        Fact("开具电子票据", f"{told.issued} 张", formats.yuan(told.issued_fen)),
        Fact("红票", f"{told.red} 张", formats.yuan(told.red_fen)),
        Fact("缺票", f"{told.lacking} 笔", told.note),
        Fact("登记", Badge("已登记", "ok") if told.collected else Badge("未登记", "wait")),
    ]


def _facts(close: closing.Close | None) -> list[Fact]:
    if close is None:
        return []
    return [
        Fact("编号", close.number),
        Fact("拟制", shapes.actor_name(close.prepared_by), formats.compact(close.prepared_at)),
        Fact(
            "签署",
            shapes.actor_name(close.signed_by),
            formats.compact(close.signed_at) if close.signed_at else "",
        ),
        Fact("序号", close.seq),
        Fact("摘要（SM3）", close.digest),
        Fact("上一周结的摘要", close.previous),
        Fact("签名公钥指纹", close.fingerprint),
    ]


def _events(close: closing.Close | None) -> list[Any]:
    if close is None:
        return []
    labels = {code: closing.CLOSE.event_label(code) for code in closing.CLOSE.event_codes}
    return shapes.steps(history.timeline({"close": [close.pk]}), labels | {"create": "拟制"})
