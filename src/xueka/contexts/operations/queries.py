"""What went of a card with the outside, in one line of time: messages of the exchange, and what is linked
with the card beside it.

Beside it are what couriers said of its parcels, what its family was sent of its replacement, and files and
fetches that changed its student. What has no link is not guessed at (docs/runbooks/data-exchange.md).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from xueka.contexts.cards import api as cards
from xueka.contexts.couriers import api as couriers
from xueka.contexts.interop import api as interop
from xueka.contexts.registry import api as registry
from xueka.contexts.replacements import api as replacements
from xueka.platform.exchange import tracing
from xueka.platform.exchange.tracing import Step
from xueka.platform.identity.actor import Actor
from xueka.platform.messages import queries as messages
from xueka.platform.messages.models import STATES

MOST = 500
COURIER, MESSAGE, FILE = "courier", "message", "file"


@dataclass(frozen=True, slots=True)
class Beside:
    """One thing beside the exchange. `number`: of the parcel, or of the import. No personal value is in it
    but the masked phone.
    """

    at: datetime
    direction: str
    way: str
    who: str
    what: str
    number: str
    state: str
    said: str
    key: str


@dataclass(frozen=True, slots=True)
class Traced:
    """Oldest first. `cut`: there is more, older than these."""

    lines: Sequence[Step | Beside]
    cut: bool


def trace(actor: Actor, keys: Sequence[str]) -> Traced:
    """The newest `MOST` things of these keys. What the actor may not read elsewhere is left out here too."""
    actor.require(interop.READ)
    lines: list[Step | Beside] = [*tracing.trace(keys, MOST + 1)]
    numbers = [key.removeprefix("card:") for key in keys if key.startswith("card:")]
    for card in cards.card_rows(actor.scope).filter(number__in=numbers):
        lines += _beside(actor, card)
    lines.sort(key=lambda each: each.at)
    return Traced(lines[-MOST:], len(lines) > MOST)


def _beside(actor: Actor, card: cards.Card) -> Iterator[Beside]:
    key = f"card:{card.number}"
    if actor.may("school:delivery:read"):
        yield from _parcels(actor, card, key)
    if actor.may(messages.READ):
        for text in replacements.messages_of_card(actor.scope, card)[: MOST + 1]:
            said = "，".join(part for part in (text.shown_to, text.problem) if part)
            name, state = messages.name_of(text.template), STATES[text.state]
            yield Beside(text.created_at, "out", MESSAGE, "短信网关", name, "", state, said, key)
    if actor.may("school:student:read"):
        for change in registry.newest_changes(actor.scope, card.student_id, MOST + 1):
            fetched = bool(change.run.fetches.all())
            who, what = ("学籍接口", "取回的记录") if fetched else ("学籍文件", "名册文件")
            state = "已撤回" if change.run.reverted_at else "已导入"
            said = f"第 {change.line} 行改了这位学生"
            yield Beside(change.run.at, "in", FILE, who, what, str(change.run_id), state, said, key)


def _parcels(actor: Actor, card: cards.Card, key: str) -> Iterator[Beside]:
    for shipment in couriers.of_card(actor.scope, card.id)[: MOST + 1]:
        numbers = "、".join(each.number for each in shipment.waybills.all()[:3])
        what = "手工登记运单" if shipment.courier == couriers.HAND else "下单"
        state = couriers.SHIPMENT.state(shipment.state).label
        said = f"运单 {numbers}" if numbers else shipment.last_error
        yield Beside(
            shipment.created_at, "out", COURIER, shipment.carrier, what, shipment.number, state, said, key
        )
    for event in couriers.told_of_card(actor.scope, card.id, MOST + 1):
        shipment = event.waybill.shipment
        how = "推送" if event.courier_id else "查询"
        state = "已确认" if event.confirmed_at else "未确认"
        said = "，".join(part for part in (f"{how}得知", event.place) if part)
        what = couriers.STATUSES[event.status]
        yield Beside(event.at, "in", COURIER, shipment.carrier, what, shipment.number, state, said, key)
