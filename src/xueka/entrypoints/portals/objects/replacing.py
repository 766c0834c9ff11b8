"""The school does it for a family: why, where to, a last look with the fee, and then the family pays.

It goes the same way as a family's own (contexts/replacements), so that nothing is made without its fee.
"""

from collections.abc import Callable
from typing import Any

from django import forms
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from xueka.contexts.cards import api as cards
from xueka.contexts.payments import api as payments
from xueka.contexts.replacements import api as replacements
from xueka.entrypoints.design import formats
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.ui import Action, Confirm, Link
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel import clock
from xueka.kernel.calendar import Calendar
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

MAY = replacements.ASK
_CANCEL = Confirm("取消办理", "开始制卡前可以取消；已缴的费用退回家长。", "取消办理")


class WhereForm(WordedForm):
    """Where the new card goes; the three last fields only for the post."""

    delivery = forms.ChoiceField(label="新卡送到哪里", widget=forms.RadioSelect)
    name = forms.CharField(label="收件人", max_length=30, required=False, help_text="邮寄到家的填这三项。")
    phone = forms.CharField(
        label="收件手机",
        max_length=20,
        required=False,
        widget=forms.TextInput({"inputmode": "tel", "autocomplete": "off"}),
    )
    address = forms.CharField(
        label="收件地址", max_length=120, required=False, help_text="区、街道、小区、楼门号。"
    )

    def offer(self, ways: tuple[str, ...]) -> None:
        self.fields["delivery"].choices = [  # type: ignore[attr-defined]
            (code, replacements.DELIVERIES[code]) for code in ways
        ]

    def chosen(self) -> tuple[str, replacements.Address | None]:
        """Raises BadInput for an address that cannot be right."""
        given = self.cleaned_data
        if given["delivery"] != replacements.HOME:
            return given["delivery"], None
        return replacements.HOME, replacements.address(given["name"], given["phone"], given["address"])


class ReplaceForm(WhereForm):
    reason = forms.ChoiceField(label="原因和费用", widget=forms.RadioSelect)

    field_order = ("reason",)


def actions(actor: Actor, found: cards.Card) -> list[Action]:
    """补卡 for a lost card, 换卡 for one in use; why not, where something stands against it."""
    if found.state not in cards.LIVE or not actor.may(MAY):
        return []
    for each in replacements.open_of(actor.scope, found.student_id):
        if each.kind_id == found.kind_id and each.state != "draft":
            what = replacements.REASONS[each.reason][0]
            return [Action(f"看{what}进度", _url(each), icon="refresh")]
    lost = found.state == "lost"
    label = "申请补卡" if lost else "申请换卡"
    why_not = "" if replacements.consent_missing(found.student) else _stands_against(found)
    if why_not:
        return [Action(label, icon="refresh", disabled_reason=why_not)]
    url = reverse("objects:card_replace", args=[found.number])
    return [Action(label, url, icon="refresh", tone="primary" if lost else "default")]


@require_http_methods(["GET", "POST"])
@portal_view(MAY)
def replace(request: StaffRequest, number: str) -> HttpResponse:
    """Why, beside each reason what it costs, and where to; what is handed in comes on the next page."""
    actor: Actor = request.actor
    card = cards.card(actor.scope, number)
    form = ReplaceForm(request.POST if request.method == "POST" else None)
    form.offer(tuple(replacements.DELIVERIES))
    reasons = _reasons(card)
    form.fields["reason"].choices = [(code, _reason(card, code)) for code in reasons]  # type: ignore[attr-defined]
    form.initial = {"reason": reasons[0], "delivery": replacements.SCHOOL}
    problem: XuekaError | None = None
    if request.method == "POST" and form.is_valid():
        try:
            made = replacements.begin(actor, number, form.cleaned_data["reason"])
            replacements.choose_delivery(actor, made.id, *form.chosen())
        except XuekaError as error:
            problem = error
        else:
            return redirect(_url(made))
    shown = {
        "title": "申请补卡" if card.state == "lost" else "申请换卡",
        "sub": f"{card.student.name}的卡 {card.number}，沿用学校已有的照片。新卡发到手时，旧卡即作废。",
        "form": form,
        "problem": problem,
        "consent": replacements.consent_missing(card.student),
        "student_url": shapes.student_url(card.student.education_id),
        "promise": replacements.promise(clock.today(), Calendar.default()),
        "button": "下一步",
        "back": Link(f"卡 {card.number}", reverse("objects:card", args=[number])),
    }
    return render(request, "objects/replace.html", shown, status=400 if problem or form.errors else 200)


@require_http_methods(["GET", "POST"])
@portal_view(MAY)
def where(request: StaffRequest, number: str) -> HttpResponse:
    """Another way of delivery, while one is open."""
    found = replacements.replacement(request.actor.scope, number)
    ways = replacements.may_go(found.state, found.to_counter)
    if not ways:
        return redirect(_url(found))
    form = WhereForm(request.POST if request.method == "POST" else None)
    form.offer(ways)
    form.initial = {"delivery": found.delivery if found.delivery in ways else ways[0]}
    problem: XuekaError | None = None
    if request.method == "POST" and form.is_valid():
        try:
            replacements.choose_delivery(request.actor, found.id, *form.chosen())
        except XuekaError as error:
            problem = error
        else:
            flash(request, "已更改送达方式。")
            return redirect(_url(found))
    shown = {
        "title": "更改送达方式",
        "sub": f"{found.student.name} {found.number}",
        "form": form,
        "problem": problem,
        "button": "更改",
        "back": Link(found.number, _url(found)),
    }
    return render(request, "objects/replace.html", shown, status=400 if problem or form.errors else 200)


@require_POST
@portal_view(MAY)
def act(request: StaffRequest, number: str, verb: str) -> HttpResponse:
    """Hand it in, or call it off."""
    if verb not in _DOES:
        raise Http404
    found = replacements.replacement(request.actor.scope, number)
    flash(request, _DOES[verb](request.actor, found))
    return redirect(_url(found))


@require_POST
@portal_view(MAY, atomic=False)
def pay_code(request: StaffRequest, number: str) -> HttpResponse:
    """A payment code that the family can type into any bank's page: the finance office is asked for it, so
    this runs outside of any transaction.
    """
    found = replacements.replacement(request.actor.scope, number)
    with transaction.atomic():
        order = replacements.order_to_pay(request.actor, found.id)
    payments.pay(request.actor, order.id, "nontax")
    flash(request, "已取得缴款码，请交给家长。")
    return redirect(_url(found))


def page_actions(actor: Actor, found: replacements.Replacement) -> list[Action]:
    """What the school may do for the family now, on the page of the replacement."""
    if not actor.may(MAY):
        return []
    drawn = []
    if found.state == "draft" and found.delivery:
        label = f"提交，请家长缴费 {formats.yuan(found.fee_fen)}" if found.fee_fen else "提交"
        drawn.append(Action(label, _act_url(found, "submit"), "post", "send", "primary"))
    if found.state == "draft":
        edit = reverse("objects:card_replace", args=[found.old_card.number])
        drawn.append(Action("修改", edit, icon="pencil"))
    elif replacements.may_go(found.state, found.to_counter):
        move = reverse("objects:replacement_where", args=[found.number])
        drawn.append(Action("更改送达方式", move, icon="truck-delivery"))
    if found.state in ("draft", "unpaid", "paid"):
        drawn.append(Action("取消办理", _act_url(found, "cancel"), "post", "x", confirm=_CANCEL))
    return drawn


def to_pay(request: StaffRequest, found: replacements.Replacement) -> dict[str, Any] | None:
    """What the officer hands the family: the page to pay on, and the payment code once it was asked for."""
    if found.state != "unpaid" or not request.actor.may(MAY):
        return None
    order = found.order
    code = ""
    if order and order.state == "open" and order.expires_at > clock.now():
        given = [each for each in payments.payments_of(order) if each.channel == "nontax" and each.start]
        code = str(given[-1].start["data"].get("pay_code", "")) if given else ""
    account = payments.account_of("nontax")
    ask = Action(
        "取缴款码",
        reverse("objects:replacement_pay_code", args=[found.number]),
        "post",
        "qrcode",
        disabled_reason="" if account and account.is_open else "非税缴款还没有开通。",
    )
    return {
        "link": request.build_absolute_uri(reverse("parent:pay", args=[found.number])),
        "code": code,
        "until": order.expires_at if order else None,
        "ask": None if code else ask,
    }


def _submit(actor: Actor, found: replacements.Replacement) -> str:
    made = replacements.submit(actor, found.id)
    if made.state == "unpaid":
        return "已提交，等家长缴费。家长登记的手机会收到短信。"
    return "已提交并受理。"


def _cancel(actor: Actor, found: replacements.Replacement) -> str:
    made = replacements.cancel(actor, found.id)
    return f"已取消。{replacements.money_words(made)}" if made.state == "refunding" else "已取消。"


_DOES: dict[str, Callable[[Actor, replacements.Replacement], str]] = {"submit": _submit, "cancel": _cancel}


def _reasons(card: cards.Card) -> list[str]:
    if card.state == "lost":
        return ["lost"]
    return [code for code in replacements.REASONS if code != "lost"]


def _stands_against(card: cards.Card) -> str:
    return replacements.why_not(card, _reasons(card)[0])


def _reason(card: cards.Card, code: str) -> str:
    name, words = replacements.REASONS[code]
    fee = replacements.quote(card, code)
    return f"{name}（{words}）：{formats.yuan(fee.amount_fen) if fee.amount_fen else '免费'}"


def _url(found: replacements.Replacement) -> str:
    return reverse("objects:replacement", args=[found.number])


def _act_url(found: replacements.Replacement, verb: str) -> str:
    return reverse("objects:replacement_act", args=[found.number, verb])
