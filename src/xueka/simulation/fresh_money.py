"""Families who have paid lately, so that nobody who opens a demo city finds its money rooms empty."""

import contextlib
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from django.db import transaction

from xueka.contexts.cards import api as cards
from xueka.contexts.registry import api as registry
from xueka.contexts.treasury import api as treasury
from xueka.kernel import clock
from xueka.kernel.clock import SHANGHAI
from xueka.kernel.errors import XuekaError
from xueka.simulation import families, issuing, staff, weeks
from xueka.simulation.tills import Tills
from xueka.simulation.world import World

#: Families who pay in one go.
PAYING = 16
#: Money that a channel takes for nothing that was asked here: channel, fen.
STRANGERS = (("wechat", 2000), ("alipay", 3000))


def leave(world: World, tills: Tills, *, groups: int = 2, pause_days: float = 1.5) -> None:
    """Weeks without money are closed; then groups of families pay, and their weeks wait for finance.

    Their applications wait for the districts. A week that is over before a later group pays is closed.
    """
    for holding in _groups(groups):
        _close(world, tills)
        _ask_and_pay(world, tills, holding)
        world.pass_time(minutes=pause_days * 24 * 60)


def leave_a_week_to_close(world: World, tills: Tills, monday: date) -> None:
    """Every week before this one is closed on its day. In this one families pay, and money comes of which
    nobody here knows.
    """
    with _calendar_may_end():
        weeks.live_until(world, tills, datetime.combine(monday, time(9), SHANGHAI))
    for day, holding in enumerate(_groups(2), start=1):
        morning = datetime.combine(monday + timedelta(days=day), time(9, 30), SHANGHAI)
        world.pass_time(minutes=max(0, (morning - clock.now()).total_seconds() / 60))
        _close(world, tills)
        _ask_and_pay(world, tills, holding)
    for channel, fen in STRANGERS:
        body = {"channel": channel, "out_trade_no": f"JF{monday:%Y%m%d}{fen:06d}", "amount_fen": fen}
        tills.channels.control("POST", "pay", {**body, "subject": "补卡工本费（旧缴费页）"})


def compare(tills: Tills, monday: date) -> None:
    """That week is compared, by the wall clock; of the strangers' money one waits for the second person."""
    weeks.compare(tills, monday)
    sunday = monday + timedelta(days=6)
    found = treasury.open_breaks(staff.CITY).filter(day__range=(monday, sunday)).order_by("fen").first()
    if found is not None:
        with transaction.atomic():
            said = "旧缴费页上的付款码没有撤下，家长扫了旧码；已请渠道原路退回，先记入待查长短款"
            treasury.explain(staff.finance("a"), found.id, said)


@contextlib.contextmanager
def _calendar_may_end() -> Iterator[None]:
    """Weeks of a year whose calendar is not out yet stay open."""
    try:
        yield
    except XuekaError as error:
        if error.code != "CALENDAR_YEAR_MISSING":
            raise


def _groups(count: int) -> Iterator[list[cards.Card]]:
    holders = cards.Card.objects.filter(state="active", kind_id=issuing.KIND).order_by("-number")
    holding = list(holders.select_related("school", "student")[: count * PAYING])
    for start in range(0, len(holding), PAYING):
        yield holding[start : start + PAYING]


def _close(world: World, tills: Tills) -> None:
    with _calendar_may_end():
        weeks.close_weeks(world, tills)


def _ask_and_pay(world: World, tills: Tills, holding: list[cards.Card]) -> None:
    """Every other one has lost the card, the others have broken theirs."""
    lost, broken = holding[::2], holding[1::2]
    for card in lost:
        with world.work(minutes=5):
            officer = staff.school_officer(card.school.district_id, card.school.code)
            cards.report_lost(officer, card.id, "家长电话挂失")
    families.ask_and_pay(world, tills, [("lost", _students(lost)), ("damaged", _students(broken))])


def _students(holding: list[cards.Card]) -> list[registry.Student]:
    found = registry.Student.objects.filter(id__in=[card.student_id for card in holding])
    return list(found.select_related("school", "school_class").order_by("education_id"))
