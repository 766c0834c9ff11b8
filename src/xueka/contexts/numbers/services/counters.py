"""Blanks of a lot at the counters: handed out, brought back; what is made or spoilt there counts there.

A counter's stock is that of its office: one in each district, and the city's. An office that was never handed
any takes from the city's stock, as one without such books always did (ADR 0220).
"""

from django.db.models import QuerySet

from xueka.contexts.numbers.domain.counters import COUNTERS, check_slip
from xueka.contexts.numbers.models import Blank, BlankLot, CounterSlip
from xueka.contexts.numbers.services.handing_over import check_lot, locked_lot
from xueka.contexts.numbers.services.initialisation import next_number
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor


def give_to_counter(
    actor: Actor, counter: str, lot: str, first: int, last: int, quantity: int, paper: tuple[str, str, str]
) -> CounterSlip:
    """Blanks `first` to `last` of a lot go to a counter; `quantity` is what both have counted, `paper` is
    (given by, received by, document).

    All or nothing. Raises NotFound `LOT_NOT_FOUND`; BadInput where the slip is incomplete; Refused
    `COUNTER_LOT_WITHOUT_CHIPS`, `COUNTER_COUNT_DIFFERS`, `HANDOVER_OVER_STOCK`.
    """
    actor.require("city:range:manage")
    check_slip(counter, first, last, quantity, paper)
    its_lot = locked_lot(lot)
    _counted(its_lot, "", first, last, quantity).update(counter=counter)
    check_lot(its_lot)
    return _write(actor, "out", counter, its_lot, first, last, quantity, paper)


def take_from_counter(
    actor: Actor, counter: str, lot: str, first: int, last: int, quantity: int, paper: tuple[str, str, str]
) -> CounterSlip:
    """What is left of `first` to `last` at a counter comes back into the city's stock. Raises as above."""
    actor.require("city:range:manage")
    check_slip(counter, first, last, quantity, paper)
    its_lot = locked_lot(lot)
    _counted(its_lot, counter, first, last, quantity).update(counter="")
    return _write(actor, "in", counter, its_lot, first, last, quantity, paper)


def _counted(lot: BlankLot, counter: str, first: int, last: int, quantity: int) -> QuerySet[Blank]:
    """The blanks in stock there, locked, as many as were counted."""
    rows = Blank.objects.filter(lot=lot, position__range=(first, last), state="in_stock", counter=counter)
    here = list(rows.order_by("id").select_for_update())
    if any(not blank.uid for blank in here):
        raise Refused(
            "COUNTER_LOT_WITHOUT_CHIPS",
            "这批空白卡没有登记芯片UID，认不出哪张在哪个柜台。",
            where=f"批号 {lot.number}",
            action="请向供应方要带芯片UID的交接清单。",
        )
    if len(here) != quantity:
        raise Refused(
            "COUNTER_COUNT_DIFFERS",
            "清点的张数与库存不符。",
            where=f"批号 {lot.number} 序号 {first} 至 {last}",
            found=quantity,
            expected=len(here),
            action="请核对序号和张数；已用、报废和不在这里的不算。",
        )
    return Blank.objects.filter(id__in=[blank.id for blank in here])


def _write(
    actor: Actor,
    direction: str,
    counter: str,
    lot: BlankLot,
    first: int,
    last: int,
    quantity: int,
    paper: tuple[str, str, str],
) -> CounterSlip:
    made = CounterSlip.objects.create(
        number=next_number(CounterSlip, "GT"),
        direction=direction,
        counter=counter,
        lot=lot,
        first=first,
        last=last,
        quantity=quantity,
        given_by=paper[0].strip(),
        received_by=paper[1].strip(),
        document=paper[2].strip(),
        at=clock.now(),
        recorded_by=actor.username,
    )
    detail = {"lot": lot.number, "quantity": quantity, "place": COUNTERS[counter], "document": made.document}
    record(actor, f"counter_slip.{direction}", "counter_slip", made.number, detail=detail)
    return made
