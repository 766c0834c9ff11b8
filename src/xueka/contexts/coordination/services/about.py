"""Whether the thing is there that a matter is about; what lies beside this context the settings name."""

from collections.abc import Callable, Mapping

from django.conf import settings
from django.utils.module_loading import import_string

from xueka.contexts.cards import api as cards
from xueka.contexts.coordination.domain.parties import ABOUT
from xueka.contexts.interop import api as interop
from xueka.contexts.production import api as production
from xueka.kernel.errors import BadInput, Forbidden, NotFound
from xueka.platform.exchange import queries as exchange
from xueka.platform.exchange.models import IN, OUT
from xueka.platform.identity.actor import Actor


def _message(actor: Actor, name: str) -> object:
    way, _, number = name.partition(":")
    if way not in (IN, OUT):
        raise NotFound("MESSAGE_NOT_FOUND", "没有这条消息。")
    return exchange.found(way, _number(number))


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


_KNOWN: Mapping[str, Callable[[Actor, str], object]] = {
    "card": lambda actor, name: cards.card(actor.scope, name),
    "batch": lambda actor, name: production.batch(actor.scope, name),
    "interface": interop.standing_of,
    "difference": lambda actor, name: interop.difference(actor, _number(name)),
    "message": _message,
    "parcel": lambda actor, name: import_string(settings.COORDINATION_PARCELS)(actor.scope, name),
}


def must_be_there(actor: Actor, kind: str, name: str) -> None:
    """Raises BadInput `ABOUT_UNKNOWN` where there is no such thing, or not for this actor."""
    try:
        _KNOWN[kind](actor, name)
    except (NotFound, Forbidden):
        raise BadInput(
            "ABOUT_UNKNOWN",
            f"没有这个{ABOUT[kind]}。",
            where="对象的编号",
            found=name[:40],
            action="请核对编号；从它自己的页面点“请对方处理”，编号自动填好。",
        ) from None
