"""Finance at the end of each week: statements, reconciliation, breaks signed by two, the close."""

from datetime import date, datetime, time, timedelta

from django.db import transaction

from xueka.contexts.closing import api as closing
from xueka.contexts.ledger import api as ledger
from xueka.contexts.payments import api as payments
from xueka.contexts.treasury import api as treasury
from xueka.kernel import clock
from xueka.kernel.calendar import Calendar
from xueka.kernel.clock import SHANGHAI
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.scope import EVERYWHERE
from xueka.simulation import staff
from xueka.simulation.tills import Tills
from xueka.simulation.world import World

#: Our kind of statement → the channel's word for it.
KINDS = {"trade": "trade", "fund": "fundflow"}
MERCHANTS = ("wechat", "alipay")
_TRIES = 8


def live_until(world: World, tills: Tills | None, moment: datetime) -> None:
    """Time goes on, and every week that ends meanwhile is closed on its due day.

    Raises XuekaError `CALENDAR_YEAR_MISSING`.
    """
    calendar, monday = Calendar.default(), closing.monday_of(clock.today()) - timedelta(days=7)
    while (due := datetime.combine(closing.due(calendar, monday), time(11), SHANGHAI)) <= moment:
        if due > clock.now():
            world.clock.set(due)
        close_weeks(world, tills)
        monday += timedelta(days=7)
    if moment > clock.now():
        world.clock.set(moment)


def compare(tills: Tills, monday: date) -> None:
    """A week's statements as the channels mean them, and what comes of them against our side."""
    finance, days = staff.finance("a"), [monday + timedelta(days=n) for n in range(7)]
    for day in days:
        for channel in MERCHANTS:
            for kind, word in KINDS.items():
                raw = tills.channels.right_statement(channel, word, day)
                with transaction.atomic():
                    treasury.take_statement(finance, channel, kind, day, raw)
    treasury.post_all()
    with transaction.atomic():
        treasury.reconcile(finance, days[0], days[-1])


def close_weeks(world: World, tills: Tills | None, *, until: date | None = None) -> None:
    """Every week that is over and open (as far as `until`), one after the other as they must be closed.

    Without `tills` no week may have seen money: a quiet one needs nobody's statement.
    """
    _in_the_forenoon(world)
    for week in reversed(closing.weeks(staff.CITY)):
        if week.is_open and (until is None or week.sunday <= until):
            _statements(world, tills, week.monday)
            _reconcile(world, week.monday)
            _close(world, week.monday)


def pay_back(world: World, season: str) -> None:
    """One family turns out to have been charged without need after its fee was remitted: 退付."""
    rows = payments.payment_rows(EVERYWHERE).exclude(remitted_in="").filter(order__state="paid")
    remitted = rows.order_by("out_trade_no").first()
    if remitted is None:
        return
    finance = staff.finance("a")
    with world.work(minutes=30):
        asked = payments.refund(
            finance, remitted.order_id, remitted.amount_fen, "核实为免费补卡", f"sim-payback:{season}"
        )
        closing.register_back_payments()
    with world.work(minutes=30):
        today = clock.today()
        closing.end_back_payment(finance, asked.id, paid=True, document_number=f"TF{asked.number}", on=today)
    world.count("back_payments")


def _in_the_forenoon(world: World) -> None:
    """Channels give yesterday's statement after ten."""
    moment = datetime.combine(clock.today(), time(11), SHANGHAI)
    if clock.now() < moment:
        world.clock.set(moment)


def _statements(world: World, tills: Tills | None, monday: date) -> None:
    days = [monday + timedelta(days=n) for n in range(7)]
    moved = ledger.Entry.objects.filter(on__range=(days[0], days[-1])).exists()
    for day in days:
        for channel in MERCHANTS:
            for kind in KINDS if moved else ["trade"]:
                raw = _fetched(world, tills, channel, kind, day) if moved and tills else b""
                with world.work(minutes=0):
                    taken = treasury.take_statement(staff.finance("a"), channel, kind, day, raw)
                if not taken.usable and tills:  # asked for again by telephone, it comes right
                    right = tills.channels.right_statement(channel, KINDS[kind], day)
                    with world.work(minutes=30):
                        treasury.take_statement(staff.finance("a"), channel, kind, day, right)
    treasury.post_all()


def _fetched(world: World, tills: Tills, channel: str, kind: str, day: date) -> bytes:
    """As the channel delivers it; empty where nothing moved."""
    for _ in range(_TRIES):
        tills.keep_time()
        try:
            return payments.statement(channel, day, KINDS[kind]) or b""
        except XuekaError:
            world.pass_time(minutes=30)
    return tills.channels.right_statement(channel, KINDS[kind], day)


def _reconcile(world: World, monday: date) -> None:
    world.pass_time(minutes=1)
    sunday = monday + timedelta(days=6)
    with world.work():
        treasury.reconcile(staff.finance("a"), monday, sunday)
    for found in treasury.open_breaks(staff.CITY).filter(day__lte=sunday).exclude(state="signed"):
        with world.work(minutes=5):
            treasury.explain(staff.finance("a"), found.id, "已与渠道核实，记入待查长短款")
        with world.work(minutes=5):
            treasury.sign_off(staff.finance("b"), found.id)
        world.count("breaks")
    treasury.post_all()


def _close(world: World, monday: date) -> None:
    first, second = staff.finance("a"), staff.finance("b")
    with world.work():
        closing.collect_receipts(first, monday, "未开出的由财政补开")
    with world.work(minutes=0):
        made = closing.prepare(first, monday)
    with world.work(minutes=0):
        signed = closing.sign(second, made.id)
    for part in signed.parts.filter(to_remit_fen__gt=0).order_by("channel"):
        with world.work(minutes=10):
            slip = f"JK{signed.number}{part.channel}"
            closing.record_remittance(first, signed.id, part.channel, slip, clock.today())
        world.count("remitted_fen", part.to_remit_fen)
    for bearer in payments.FEE_BEARERS:
        owed = ledger.balances_of(EVERYWHERE, bearer).get(ledger.FEES, 0)
        if owed > 0:
            with world.work(minutes=10):
                treasury.take_fees(first, bearer, owed, f"HD{signed.number}{bearer}", clock.today())
    world.count("closes")
