"""The acts of a counter that know chip and face: nothing skipped, plastic counted once, who sees what."""

from collections.abc import Callable

import pytest
from django.db import transaction

from tests.unit.personalization.conftest import CLERK, Counter, Plastic
from tests.unit.printing.conftest import EAST, WEST
from xueka.contexts.cards import api as cards
from xueka.contexts.cards.models import CardKind
from xueka.contexts.numbers import api as numbers
from xueka.contexts.personalization import api as personalization
from xueka.contexts.personalization.models import Session
from xueka.contexts.printing import api as printing
from xueka.contexts.printing.models import Printer, Spoil
from xueka.kernel.errors import NotFound, Refused
from xueka.platform.identity.actor import Actor

UIDS = ("04A1B2C3000001", "04A1B2C3000002")


@pytest.fixture
def printer(counter: Counter) -> Printer:
    """At the counter of the agent, which is one of the city."""
    with transaction.atomic():
        return printing.register_printer(CLERK, "一号打印机", counter.agent.code, "Zebra")


@pytest.fixture
def lot(counter: Counter) -> None:
    lines = "".join(f"{place},{uid}\n" for place, uid in enumerate(UIDS, 1))
    with transaction.atomic():
        numbers.import_blank_lot(Actor.system("test"), f"序号,芯片UID\n{lines}".encode(), "L1", "公司", "甲")


def refused(act: Callable[[], object], code: str) -> None:
    with pytest.raises(Refused) as refusal, transaction.atomic():
        act()
    assert refusal.value.code == code


def printed(counter: Counter, job: printing.PrintJob) -> None:
    work = printing.next_job(counter.agent.code)
    assert work is not None and work.job == job.pk
    printing.report(counter.agent.code, job.pk, "printed")


def state(card_id: int) -> str:
    return cards.card(CLERK.scope, card_id).state


def refusing(counter: Counter, plastic: Plastic, command: str, word: str) -> None:
    """The card refuses the first command that begins so."""
    work = counter.poll()
    run = work["run"] if work else None
    while run is not None:
        assert work is not None
        answers, outcome = [], "done"
        for each in run["commands"]:
            if each["apdu"].startswith(command):
                answers, outcome = [*answers, (b"", word, 1)], "stopped"
                break
            answers.append((*counter.send(plastic, each["apdu"]), 1))
        run = counter.report(work["session"], run["run"], outcome, answers)["next"]


def test_nothing_is_printed_before_the_chip_is_proved_nor_finished_before_both(
    counter: Counter, printer: Printer
) -> None:
    card = counter.ordered()
    refused(lambda: personalization.print_face(CLERK, card, printer.pk), "NOT_WRITTEN")
    refused(lambda: personalization.finish(CLERK, card), "NOT_WRITTEN")
    session, plastic = counter.open(card), counter.blank()
    refused(lambda: personalization.print_face(CLERK, card, printer.pk), "NOT_WRITTEN")
    assert counter.lay_down(plastic) == "verified"
    refused(lambda: personalization.finish(CLERK, card), "NOT_PRINTED")
    job = personalization.print_face(CLERK, card, printer.pk)
    assert job.plastic == plastic.uid
    refused(lambda: personalization.finish(CLERK, card), "NOT_PRINTED")
    printed(counter, job)
    session.refresh_from_db()
    assert personalization.finish(CLERK, card).chip_uid == session.chip_uid
    refused(lambda: personalization.finish(CLERK, card), "CARD_NOT_AT_COUNTER")
    refused(lambda: personalization.print_face(CLERK, card, printer.pk), "CARD_NOT_AT_COUNTER")


def test_a_face_on_another_plastic_does_not_count(counter: Counter, printer: Printer) -> None:
    card = counter.ordered()
    printed(counter, printing.request_print(CLERK, card, printer.pk, plastic="04FF"))
    counter.open(card)
    assert counter.lay_down(counter.blank()) == "verified"
    refused(lambda: personalization.finish(CLERK, card), "NOT_PRINTED")


def test_a_kind_without_chip_needs_its_face_only(counter: Counter, printer: Printer) -> None:
    CardKind.objects.update(transit_source="none", beijing_tong_source="none")
    card = counter.ordered()
    refused(lambda: personalization.finish(CLERK, card), "NOT_PRINTED")
    printed(counter, personalization.print_face(CLERK, card, printer.pk))
    assert personalization.finish(CLERK, card).state == "ready"


def test_a_session_is_seen_where_its_card_is(counter: Counter, printer: Printer) -> None:
    """The agent and the printer are the city's, the card is one of the eastern district."""
    card = counter.ordered()
    session = counter.open(card)
    assert [each.pk for each in personalization.sessions(EAST.scope)] == [session.pk]
    assert personalization.session(EAST.scope, session.pk) == session
    assert list(personalization.sessions(WEST.scope)) == []
    with pytest.raises(NotFound):
        personalization.session(WEST.scope, session.pk)
    with pytest.raises(NotFound):
        personalization.abort(WEST, session.pk, "不是我们的")
    assert counter.lay_down(counter.blank()) == "verified"
    job = personalization.print_face(CLERK, card, printer.pk)
    assert [each.pk for each in printing.jobs_of(EAST.scope, card)] == [job.pk]
    assert printing.jobs_of(WEST.scope, card) == []
    printed(counter, job)
    assert personalization.finish(EAST, card).state == "ready"


def test_a_blank_that_refuses_leaves_the_stock_and_is_counted_once(
    counter: Counter, printer: Printer, lot: None
) -> None:
    session, plastic = counter.open(), counter.blank(uid=UIDS[0])
    refusing(counter, plastic, "0082", "63c2")
    session.refresh_from_db()
    assert (session.state, session.code) == ("failed", "CARD_REFUSED")
    assert "废卡盒" in session.plastic
    blank = numbers.blank_with(UIDS[0])
    assert blank is not None and blank.state == "spoiled" and numbers.blanks_left() == 1
    spoil = Spoil.objects.get()
    assert (spoil.plastic, spoil.printer_id, spoil.reason) == (UIDS[0], printer.pk, "chip")
    again = counter.open(session.card_id)
    assert counter.lay_down(plastic) == "failed", "it is never a fresh blank again"
    again.refresh_from_db()
    assert again.code == "CHIP_NOT_FREE" and "已登记为报废" in again.message
    assert "不能用来制卡" in again.plastic
    counter.open(session.card_id)
    assert counter.lay_down(counter.blank(uid=UIDS[1])) == "verified"
    assert Spoil.objects.count() == 1


def test_a_strange_card_that_refuses_is_only_put_aside(counter: Counter, printer: Printer) -> None:
    session = counter.open()
    refusing(counter, counter.blank(), "0082", "63c2")
    session.refresh_from_db()
    assert session.state == "failed" and "另放一边" in session.plastic
    assert not Spoil.objects.exists()


def test_plastic_in_the_box_is_not_written_though_it_is_in_no_lot(counter: Counter, printer: Printer) -> None:
    plastic = counter.blank()
    with transaction.atomic():
        printing.spoil_plastic(CLERK, printer.pk, "damaged", plastic=plastic.uid)
    session = counter.open()
    assert counter.lay_down(plastic) == "failed"
    session.refresh_from_db()
    assert session.message == f"芯片 {plastic.uid} 已登记为废卡"


def test_void_plastic_is_counted_once(counter: Counter, printer: Printer, lot: None) -> None:
    """By the line when it is given up; that somebody puts it into the box adds nothing."""
    session, plastic = counter.open(), counter.blank(uid=UIDS[0])
    plastic.system.card.endurance = plastic.system.card.writes + 4
    assert counter.lay_down(plastic) == "void"
    with transaction.atomic():
        personalization.scrap(CLERK, session.card_id, printer.pk)
    assert [each.plastic for each in Spoil.objects.all()] == [UIDS[0]]


def test_an_agent_without_a_printer_spoils_too(counter: Counter, lot: None) -> None:
    counter.open()
    refusing(counter, counter.blank(uid=UIDS[0]), "0082", "63c2")
    assert numbers.blanks_left() == 1 and not Spoil.objects.exists()


def test_what_is_thrown_away_takes_its_card_along(counter: Counter, printer: Printer, lot: None) -> None:
    session = counter.open()
    assert counter.lay_down(counter.blank(uid=UIDS[0])) == "verified"
    with transaction.atomic():
        personalization.throw_away(CLERK, session.card_id, printer.pk, "print", "偏了")
    assert state(session.card_id) == "failed"
    assert Spoil.objects.get().plastic == UIDS[0]
    blank = numbers.blank_with(UIDS[0])
    assert blank is not None and blank.state == "spoiled"
    waiting = counter.open()
    with transaction.atomic():
        personalization.throw_away(CLERK, waiting.card_id, printer.pk, "damaged")
    assert Session.objects.get(pk=waiting.pk).state == "cancelled"
    assert state(waiting.card_id) == "failed"
    counter.open()
    assert counter.poll() is not None
    refused(
        lambda: personalization.throw_away(CLERK, Session.objects.latest("id").card_id, printer.pk, "chip"),
        "SESSION_AT_WORK",
    )
