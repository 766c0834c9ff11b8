"""We and the channels exchange what each has to know: numbers, addresses, public keys."""

import contextlib
from typing import Any

from django.conf import settings

from xueka.contexts.payments.adapters import cards
from xueka.contexts.payments.adapters import finance as finance_line
from xueka.contexts.payments.models import DIRECT, MERCHANT, ChannelAccount
from xueka.contexts.payments.ports import ChannelUnavailable
from xueka.contexts.payments.services.channels import set_channel
from xueka.kernel.errors import BadInput
from xueka.platform.identity.actor import Actor

#: Cards of simulators say so; nobody else's account is put in place without a person.
DEMO = "demo-"


def introduce(actor: Actor, site: str, *, fee_bearer: str = "provider") -> list[ChannelAccount]:
    """Put our accounts in place as the channels' cards say, and our public keys where they fetch them.

    `site` is our address as the channels see it: https, except on the machine itself. Accounts that are as
    the cards say already are left alone. Raises BadInput `SITE_ADDRESS`, ChannelUnavailable without cards.
    """
    actor.require("city:channel:manage")
    site = site.rstrip("/")
    if not site.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
        raise BadInput("SITE_ADDRESS", "通知地址不对。", found=site[:80], expected="https:// 开头的网址")
    card = cards.card()
    cards.hand_over(settings.CHANNEL_PARTNER.parent)
    wanted: dict[str, dict[str, Any]] = {
        "wechat": {
            "settlement": MERCHANT,
            "gateway": card["wechat"]["gateway"],
            "merchant_id": card["wechat"]["mchid"],
            "app_id": card["wechat"]["appid"],
        },
        "alipay": {
            "settlement": MERCHANT,
            "gateway": card["alipay"]["gateway"],
            "merchant_id": card["alipay"]["seller_id"],
            "app_id": card["alipay"]["app_id"],
        },
    }
    if "unionpay" in card:  # its statements alone: families do not pay there
        wanted["unionpay"] = {
            "settlement": MERCHANT,
            "gateway": card["unionpay"]["file_gateway"],
            "merchant_id": card["unionpay"]["mer_id"],
            "is_open": False,
        }
    with contextlib.suppress(ChannelUnavailable):  # a city may do without a payment code
        finance = finance_line.card()
        wanted["nontax"] = {
            "settlement": DIRECT,
            "gateway": f"tcp://{finance['host']}:{finance['port']}",
            "merchant_id": finance["agency_code"],
            "app_id": finance["des"],
        }
    return [
        _put(actor, code, site, fee_bearer=fee_bearer if values["settlement"] != DIRECT else "none", **values)
        for code, values in wanted.items()
    ]


def introduce_demo(actor: Actor, site: str) -> None:
    """The same where the channels are simulators; nothing where they are not, or are not there yet."""
    try:
        if str(cards.card().get("code", "")).startswith(DEMO):
            introduce(actor, site)
    except ChannelUnavailable:
        return


def _put(actor: Actor, code: str, site: str, **values: Any) -> ChannelAccount:
    values |= {"gateway": str(values["gateway"]).rstrip("/"), "notify_url": f"{site}/api/pay/{code}/notice"}
    known = ChannelAccount.objects.filter(code=code).first()
    if known and all(getattr(known, name) == value for name, value in values.items()):
        return known
    more = known.settings if known else {"return_url": f"{site}/"}
    return set_channel(actor, code, more=more, **values)
