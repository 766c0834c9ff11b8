"""What a week comes to, channel by channel, and what stands against signing it. Amounts are fen.

Two settlement models, never mixed: `merchant` money is collected by us and remitted gross, less only what was
given back before; `direct` money has reached the treasury itself and is confirmed. Fees are told beside, with
their bearer; no amount is netted by them.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

MERCHANT, DIRECT = "merchant", "direct"


@dataclass(frozen=True, slots=True)
class PaymentFigure:
    """A credited payment. `refunded_fen`: given back by the channel before; `carried`: why it waits."""

    payment_id: int
    number: str
    order: str
    channel: str
    settlement: str
    gross_fen: int
    refunded_fen: int = 0
    carried: str = ""

    @property
    def to_remit_fen(self) -> int:
        return self.gross_fen - self.refunded_fen if self.settlement == MERCHANT else 0

    @property
    def confirmed_fen(self) -> int:
        return self.gross_fen if self.settlement == DIRECT else 0


@dataclass(frozen=True, slots=True)
class ChannelFigure:
    """A channel in one settlement model. `fees_fen` is what its statements of the week say, net of fees given
    back; `carried` payments wait for the next week and are in no other figure.
    """

    channel: str
    settlement: str
    orders: int = 0
    gross_fen: int = 0
    refunded_before_fen: int = 0
    to_remit_fen: int = 0
    confirmed_fen: int = 0
    fees_fen: int = 0
    fee_bearer: str = "none"
    carried: int = 0
    carried_fen: int = 0
    statements_missing: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """One reason why the week cannot be signed yet: stable `code`, what is found, what to do."""

    code: str
    text: str
    action: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Receipts:
    """Both readings of 领取票据: numbers drawn from the finance office, e-receipts issued to payers.

    `lacking`: payments of the week that still want one. `collected`: a person has recorded it for the week.
    """

    drawn: int = 0
    issued: int = 0
    issued_fen: int = 0
    red: int = 0
    red_fen: int = 0
    lacking: int = 0
    collected: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """The week as it could be signed now (or was, where `state` says so)."""

    monday: date
    sunday: date
    name: str
    due: date
    state: str
    close_id: int | None
    channels: tuple[ChannelFigure, ...]
    payments: tuple[PaymentFigure, ...]
    carried: tuple[PaymentFigure, ...] = ()
    receipts: Receipts = field(default_factory=Receipts)
    breaks_open: int = 0
    breaks_unsigned: int = 0
    surplus_fen: int = 0
    shortage_fen: int = 0
    blocks: tuple[Block, ...] = ()

    @property
    def to_remit_fen(self) -> int:
        return sum(each.to_remit_fen for each in self.channels)

    @property
    def confirmed_fen(self) -> int:
        return sum(each.confirmed_fen for each in self.channels)


def sum_up(
    payments: Iterable[PaymentFigure],
    fees: dict[str, int],
    bearers: dict[str, str],
    missing: dict[str, list[date]],
    settlements: dict[str, str],
) -> tuple[ChannelFigure, ...]:
    """One figure for each channel and model that has payments, fees or missing statements, in a fixed order.

    `fees`, `bearers`, `missing` and `settlements` (the channel's model of today) are by channel.
    """
    places: dict[tuple[str, str], list[PaymentFigure]] = {}
    for each in payments:
        places.setdefault((each.channel, each.settlement), []).append(each)
    for channel in [*fees, *missing]:
        if not any(place[0] == channel for place in places):
            places[channel, settlements.get(channel, MERCHANT)] = []
    found: list[ChannelFigure] = []
    told: set[str] = set()
    for channel, settlement in sorted(
        places, key=lambda place: (place[0], place[1] != settlements.get(place[0]))
    ):
        rows = places[channel, settlement]
        here = [each for each in rows if not each.carried]
        first = channel not in told  # what a statement says is told once
        told.add(channel)
        found.append(
            ChannelFigure(
                channel,
                settlement,
                len(here),
                sum(each.gross_fen for each in here),
                sum(each.refunded_fen for each in here),
                sum(each.to_remit_fen for each in here),
                sum(each.confirmed_fen for each in here),
                fees.get(channel, 0) if first else 0,
                bearers.get(channel, "none"),
                len(rows) - len(here),
                sum(each.gross_fen for each in rows if each.carried),
                tuple(missing.get(channel, ())) if first else (),
            )
        )
    return tuple(sorted(found, key=lambda each: (each.channel, each.settlement)))


def canonical(content: dict[str, Any]) -> bytes:
    """JSON in UTF-8 without white space, keys sorted: what is digested and signed."""
    return json.dumps(
        content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=date.isoformat
    ).encode()


def content_of(proposal: Proposal) -> dict[str, Any]:
    """What a signature stands for: channels, every payment, receipts, breaks, what is carried over."""
    return {
        "week": proposal.name,
        "monday": proposal.monday,
        "sunday": proposal.sunday,
        "due": proposal.due,
        "to_remit_fen": proposal.to_remit_fen,
        "confirmed_fen": proposal.confirmed_fen,
        "channels": [asdict(each) for each in proposal.channels],
        "payments": [
            [each.number, each.order, each.channel, each.settlement, each.gross_fen, each.refunded_fen]
            for each in proposal.payments
        ],
        "carried": [
            [each.number, each.order, each.channel, each.gross_fen, each.carried] for each in proposal.carried
        ],
        "receipts": asdict(proposal.receipts),
        "breaks": {
            "signed": proposal.breaks_open - proposal.breaks_unsigned,
            "surplus_fen": proposal.surplus_fen,
            "shortage_fen": proposal.shortage_fen,
        },
    }
