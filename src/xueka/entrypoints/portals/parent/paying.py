"""Paying an order: the channels to choose from, and the way to the one that was chosen."""

from urllib.parse import urlencode

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from xueka.contexts.families import api as families
from xueka.contexts.payments import api as payments
from xueka.contexts.receipts import api as receipts
from xueka.contexts.replacements import api as replacements
from xueka.entrypoints.design.downloads import attachment
from xueka.entrypoints.portals.parent.door import FamilyRequest, family_view
from xueka.kernel.errors import BadInput

WAYS = {"wechat": "微信支付", "alipay": "支付宝", "nontax": "非税缴款码"}


@require_http_methods(["GET", "POST"])
@family_view(atomic=False)
def pay(request: FamilyRequest, number: str) -> HttpResponse:
    """What is to be paid and how. The channel is spoken with outside of any transaction."""
    found = replacements.replacement(request.actor.scope, number)
    if found.state != "unpaid":
        return redirect("parent:progress", number)
    with transaction.atomic():
        order = replacements.order_to_pay(request.actor, found.id)
    inside = bool(request.family.container)
    shown: dict[str, object] = {
        "found": found,
        "order": order,
        "tried": tried(order),
        "ways": [(code, label) for code, label in WAYS.items() if _is_open(code, inside)],
    }
    if request.method == "POST":
        channel = request.POST.get("channel", "")
        if channel not in WAYS:
            raise BadInput("CHANNEL_UNKNOWN", "请选择缴费方式。", expected="、".join(WAYS.values()))
        back = request.build_absolute_uri(reverse("parent:progress", args=[number]))
        openid = families.openid_of(request.family)
        start = payments.pay(request.actor, order.id, channel, openid=openid, back=back)
        place = "财政缴款页" if start.kind == "code" else WAYS[channel]
        shown |= {"way": WAYS[channel], "place": place, "start": start, "go": _way(start, back, inside)}
        return render(request, "parent/go.html", shown)
    return render(request, "parent/pay.html", shown)


@require_GET
@family_view
def receipt(request: FamilyRequest, receipt_id: int, form: str) -> HttpResponse:
    """An e-receipt of the family: the page to print, or the original."""
    found = receipts.download(request.actor.scope, receipt_id, form)
    return attachment(found.name, found.content, found.kind)


def tried(order: payments.Order) -> str:
    """The ways that were begun and of which nothing is known yet: the payer may have paid there."""
    begun = [each.channel for each in payments.payments_of(order) if each.state in ("pending", "unknown")]
    return "、".join(label for code, label in WAYS.items() if code in begun)


def _is_open(channel: str, inside: bool) -> bool:
    """Jingtong's container is WeChat's: Alipay has no page in it."""
    account = payments.account_of(channel)
    return account is not None and account.is_open and not (inside and channel == "alipay")


def _way(start: payments.PaymentStart, back: str, inside: bool) -> str:
    """Where the payer's browser goes on; empty where there is no page for it."""
    if start.kind == "redirect":
        return str(start.data.get("url", ""))
    if start.kind == "code" and start.data.get("url"):
        return f"{start.data['url']}&{urlencode({'return_url': back})}"
    if start.kind == "jsapi" and inside:  # the container pays (docs/interfaces/jingtong.md §5)
        signed = {name: value for name, value in start.data.items() if name != "cashier"}
        asked = {**signed, "return_url": back, "cancel_url": back}
        return f"{(families.jingtong_card() or {})['cashier']}?{urlencode(asked)}"
    cashier = str(start.data.get("cashier", ""))
    if (
        start.kind == "jsapi" and cashier
    ):  # where no WeChat client is at hand (docs/interfaces/channels.md §5)
        signed = {name: value for name, value in start.data.items() if name != "cashier"}
        return f"{cashier}?{urlencode({**signed, 'redirect_url': back})}"
    return ""
