"""Our accounts at the channels, and their adapters."""

from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from xueka.contexts.payments.models import CHANNELS, FEE_BEARERS, SETTLEMENTS, ChannelAccount
from xueka.contexts.payments.ports import Channel, Connect
from xueka.kernel import clock
from xueka.kernel.errors import BadInput
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor


def set_channel(
    actor: Actor,
    code: str,
    *,
    settlement: str,
    fee_bearer: str,
    gateway: str,
    merchant_id: str,
    app_id: str = "",
    notify_url: str = "",
    is_open: bool = True,
    more: dict[str, Any] | None = None,
) -> ChannelAccount:
    """Put an account at a channel in place or change it; payments keep what they were made under.

    `more` are the channel's own settings; keys are no settings. Raises BadInput `CHANNEL_SETTINGS`.
    """
    actor.require("city:channel:manage")
    wrong = [
        (code not in CHANNELS, "渠道", code, CHANNELS),
        (settlement not in SETTLEMENTS, "结算方式", settlement, SETTLEMENTS),
        (fee_bearer not in FEE_BEARERS, "手续费承担", fee_bearer, FEE_BEARERS),
    ]
    for bad, what, given, known in wrong:
        if bad:
            raise BadInput(
                "CHANNEL_SETTINGS", f"{what}不对。", where=what, found=given[:40], expected="、".join(known)
            )
    if not gateway.startswith(("https://", "http://127.0.0.1:", "tcp://")):
        raise BadInput(
            "CHANNEL_SETTINGS",
            "网关地址不对。",
            where="网关",
            found=gateway[:60],
            expected="https:// 开头的地址",
        )
    values = {
        "settlement": settlement,
        "fee_bearer": fee_bearer,
        "gateway": gateway.rstrip("/"),
        "merchant_id": merchant_id,
        "app_id": app_id,
        "notify_url": notify_url,
        "is_open": is_open,
        "settings": more or {},
        "changed_at": clock.now(),
        "changed_by": actor.username,
    }
    found, _ = ChannelAccount.objects.update_or_create(code=code, defaults=values)
    detail = {
        name: values[name] for name in ("settlement", "fee_bearer", "gateway", "merchant_id", "is_open")
    }
    record(actor, "channel.set", "channel", code, detail=detail)
    return found


def connect(account: ChannelAccount) -> Channel:
    """The adapter that `settings.PAYMENT_CHANNELS` names for this channel."""
    make: Connect = import_string(settings.PAYMENT_CHANNELS[account.code])
    return make(account)


def account_of(code: str) -> ChannelAccount | None:
    """Our account at a channel, in use or not: what was paid there goes on being asked for."""
    return ChannelAccount.objects.filter(code=code).first()
