"""A city with a counter: its operator, one printer, and cards that are being made there."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.db import transaction

from tests.unit.cards.conftest import NOW, City, build
from xueka.contexts.cards import api as cards
from xueka.contexts.printing import api as printing
from xueka.contexts.printing.models import Printer, PrintJob, Supply
from xueka.kernel import clock
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

AGENT = "a-000000000001"
EAST = Actor.in_role("counter", "秦朗", "counter_operator", Scope("district", "110101"))
WEST = Actor.in_role("counter2", "别区", "counter_operator", Scope("district", "110102"))


@dataclass
class Counter:
    city: City
    printer: Printer

    @transaction.atomic
    def card(self) -> cards.Card:
        """A card that is made here and waits for its plastic."""
        [application] = self.city.accepted(self.city.students())
        cards.to_counter(EAST, [application])
        return cards.issue_at_counter(EAST, application)

    @transaction.atomic
    def job(self, state: str = "queued", **given: str) -> PrintJob:
        """A first job in this state, by the ways that lead there."""
        job = printing.request_print(EAST, self.card().id, self.printer.id, **given)
        if state == "cancelled":
            printing.cancel_print(EAST, job.id)
        if state in ("sent", "printing", "printed", "failed", "unknown"):
            work = printing.next_job(AGENT)
            assert work is not None and work.job == job.id
        if state not in ("queued", "sent", "cancelled"):
            printing.report(AGENT, job.id, state)
        job.refresh_from_db()
        assert job.state == state
        return job

    def left(self) -> dict[str, int]:
        return dict(Supply.objects.filter(printer=self.printer).values_list("sort", "left"))


@pytest.fixture
def counter(db: None) -> Iterator[Counter]:
    with clock.at(NOW):
        city = build()
        with transaction.atomic():
            printer = printing.register_printer(EAST, "一号打印机", AGENT, "Zebra ZC300")
            for supply in Supply.objects.filter(printer=printer):
                printing.load_supply(EAST, supply.id)
        yield Counter(city, printer)
