"""Print jobs: every event in every state, nothing printed twice silently, consumables counted once."""

import io
from datetime import timedelta

import pypdf
import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.support.machines import assert_every_pair
from tests.unit.cards.conftest import NOW
from tests.unit.printing.conftest import AGENT, EAST, WEST, Counter
from xueka.contexts.cards import api as cards
from xueka.contexts.numbers import api as numbers
from xueka.contexts.printing import api as printing
from xueka.contexts.printing import jobs as sweeps
from xueka.contexts.printing.models import PrintJob, Spoil, Supply
from xueka.contexts.printing.services import faces
from xueka.contexts.registry.models import Student
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.platform.audit.models import Entry
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor
from xueka.platform.invariants import check


def test_every_event_in_every_state(counter: Counter) -> None:
    job = counter.job()
    system = Actor.system("agent")

    def attempt(event: str, source: str, to: str | None) -> str:
        PrintJob.objects.filter(id=job.id).update(state=source)
        with transaction.atomic():
            apply(printing.PRINT_JOB, PrintJob, [job.id], event, system, to=to)
        return state()

    def state() -> str:
        return PrintJob.objects.get(id=job.id).state

    allowed, refused = assert_every_pair(printing.PRINT_JOB, attempt, still=state)
    assert allowed + refused == len(printing.PRINT_JOB.event_codes) * len(printing.PRINT_JOB.state_codes)


def test_the_plain_way(counter: Counter) -> None:
    job = counter.job()
    assert (job.number, job.reason, job.template, job.version) == (1, "", "BJT-STD", 2)
    work = printing.next_job(AGENT)
    assert work is not None
    assert (work.job, work.printer, work.title, work.copies) == (job.id, "Zebra ZC300", job.card.number, 1)
    assert len(pypdf.PdfReader(io.BytesIO(work.document)).pages) == 2
    assert printing.next_job(AGENT) is None
    assert printing.report(AGENT, job.id, "printing") == "printing"
    assert printing.report(AGENT, str(job.id), "printed", "打印完成") == "printed"
    assert printing.report(AGENT, job.id, "printed") == "printed"
    assert counter.left() == {"ribbon": 199, "cards": 99, "cleaning": 999}
    assert Entry.objects.filter(action="print.request").exists()


def test_only_the_agent_of_the_printer_gets_and_reports_a_job(counter: Counter) -> None:
    job = counter.job()
    assert printing.next_job("a-000000000002") is None
    for agent, job_id in (("a-000000000002", job.id), (AGENT, job.id + 1), (AGENT, "x"), (AGENT, "9" * 30)):
        with pytest.raises(NotFound):
            printing.report(agent, job_id, "printed")
    with pytest.raises(BadInput):
        printing.report(AGENT, job.id, "done")


def test_one_job_at_a_time_in_a_printer(counter: Counter) -> None:
    first, second = counter.job(), counter.job()
    assert printing.next_job(AGENT).job == first.id  # type: ignore[union-attr]
    assert printing.next_job(AGENT) is None
    printing.report(AGENT, first.id, "printed")
    assert printing.next_job(AGENT).job == second.id  # type: ignore[union-attr]


def test_a_printer_that_is_closed_gets_nothing(counter: Counter) -> None:
    counter.job()
    printing.switch_printer(EAST, counter.printer.id, False)
    assert printing.next_job(AGENT) is None
    with pytest.raises(Refused) as refusal:
        printing.request_print(EAST, counter.card().id, counter.printer.id)
    assert refusal.value.code == "PRINTER_CLOSED"


def test_a_vanished_agent_leaves_a_question_that_a_person_answers(counter: Counter) -> None:
    job = counter.job("printing")
    with clock.at(NOW + timedelta(seconds=299)):
        sweeps.lose_silent_jobs()
    job.refresh_from_db()
    assert job.state == "printing"
    with clock.at(NOW + timedelta(seconds=301)):
        sweeps.lose_silent_jobs()
    job.refresh_from_db()
    assert (job.state, job.message) == ("unknown", "代理没有消息")
    with pytest.raises(Refused) as refusal:
        printing.request_print(EAST, job.card_id, counter.printer.id, reason="not_printed")
    assert refusal.value.code == "PRINT_OPEN"
    assert printing.report(AGENT, job.id, "printed", "打印完成") == "unknown"  # too late: it decides nothing
    job.refresh_from_db()
    assert (job.state, job.late) == ("unknown", "已印好：打印完成")
    assert counter.left()["ribbon"] == 200
    assert printing.settle_print(EAST, job.id, True, "卡面清楚").state == "printed"
    assert counter.left()["ribbon"] == 199
    with pytest.raises(Refused):
        printing.settle_print(EAST, job.id, True)


def test_an_unknown_job_that_did_not_print_counts_nothing(counter: Counter) -> None:
    job = counter.job("unknown")
    assert printing.settle_print(EAST, job.id, False).state == "failed"
    assert counter.left()["ribbon"] == 200
    again = printing.request_print(EAST, job.card_id, counter.printer.id, reason="not_printed")
    assert (again.number, again.reason) == (2, "not_printed")


def test_another_print_needs_a_reason(counter: Counter) -> None:
    job = counter.job("printed")
    for reason, note in (("", ""), ("because", ""), ("other", " ")):
        with pytest.raises(BadInput):
            printing.request_print(EAST, job.card_id, counter.printer.id, reason=reason, note=note)
    printing.request_print(EAST, job.card_id, counter.printer.id, reason="other", note="家长不满意")
    with pytest.raises(IntegrityError), transaction.atomic():
        PrintJob.objects.filter(card=job.card_id, number=2).update(reason="")


def test_a_chip_gets_one_face(counter: Counter) -> None:
    job = counter.job("printed", plastic="04a1b2")
    with pytest.raises(Refused) as refusal:
        printing.request_print(EAST, job.card_id, counter.printer.id, plastic="04A1B2", reason="faint")
    assert refusal.value.code == "PLASTIC_PRINTED"
    with pytest.raises(IntegrityError), transaction.atomic():
        PrintJob.objects.filter(id=counter.job("failed").id).update(plastic="04A1B2", state="printed")


def test_what_cannot_be_drawn_is_refused_before_plastic_is_touched(counter: Counter) -> None:
    card = counter.card()
    Student.objects.filter(id=card.student_id).update(name="阿" * 40)
    with pytest.raises(Refused) as refusal:
        printing.request_print(EAST, card.id, counter.printer.id)
    assert refusal.value.code == "FACE_TEXT_TOO_LONG"
    assert not PrintJob.objects.exists()


def test_what_cannot_be_drawn_any_more_fails_and_lets_the_next_pass(counter: Counter) -> None:
    spoilt, next_one = counter.job(), counter.job()
    Student.objects.filter(id=spoilt.card.student_id).update(name="阿" * 40)
    assert printing.next_job(AGENT).job == next_one.id  # type: ignore[union-attr]
    spoilt.refresh_from_db()
    assert spoilt.state == "failed"
    assert "太长" in spoilt.message


def test_nothing_is_locked_while_a_face_is_drawn(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes a while; a second printer, or a person who cancels, does not wait for it."""
    counter.job()
    drawn: list[str] = []
    draw = faces.document

    def look(of: object) -> bytes:
        drawn.extend(query["sql"] for query in seen.captured_queries if "FOR UPDATE" in query["sql"])
        return draw(of)  # type: ignore[arg-type]

    monkeypatch.setattr(faces, "document", look)
    with CaptureQueriesContext(connection) as seen:
        assert printing.next_job(AGENT) is not None
    assert drawn == []
    assert any("FOR UPDATE" in query["sql"] for query in seen.captured_queries)


@pytest.mark.parametrize("meanwhile", ["cancelled", "taken", "spoilt"])
def test_what_happened_while_it_was_drawn_counts(
    counter: Counter, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    job = counter.job()
    draw = faces.document

    def late(of: object) -> bytes:
        document = draw(of)  # type: ignore[arg-type]
        monkeypatch.setattr(faces, "document", draw)
        if meanwhile == "cancelled":
            printing.cancel_print(EAST, job.id)
        elif meanwhile == "taken":
            assert printing.next_job(AGENT) is not None
        else:
            cards.spoil_at_counter(EAST, job.card_id, "家长不要了")
        return document

    monkeypatch.setattr(faces, "document", late)
    assert printing.next_job(AGENT) is None
    job.refresh_from_db()
    assert job.state == {"cancelled": "cancelled", "taken": "sent", "spoilt": "failed"}[meanwhile]


def test_spoilt_plastic_is_on_record_once(counter: Counter) -> None:
    job = counter.job("printed", plastic="04A1B2")
    made = printing.spoil_plastic(
        EAST, counter.printer.id, "print", "偏了", card_id=job.card_id, plastic="04a1b2"
    )
    assert (made.job_id, made.plastic, made.by) == (job.id, "04A1B2", "counter")
    cards.spoil_at_counter(EAST, job.card_id, "印坏")
    with pytest.raises(Refused) as refusal:
        printing.spoil_plastic(EAST, counter.printer.id, "print", plastic="04A1B2")
    assert refusal.value.code == "PLASTIC_SPOILT"
    with pytest.raises(BadInput):
        printing.spoil_plastic(EAST, counter.printer.id, "other")
    assert Spoil.objects.count() == 1


def test_spoilt_plastic_leaves_the_stock_of_blanks(counter: Counter) -> None:
    """A chip that nothing was written on is a fresh blank for nobody once it lies in the box."""
    lot = "序号,芯片UID\n1,04A1B2C3000001\n"
    numbers.import_blank_lot(Actor.system("test"), lot.encode(), "L1", "公司", "甲")
    assert numbers.blanks_left() == 1
    printing.spoil_plastic(EAST, counter.printer.id, "damaged", plastic="04a1b2c3000001")
    blank = numbers.blank_with("04A1B2C3000001")
    assert blank is not None and (blank.state, numbers.blanks_left()) == ("spoiled", 0)


def test_a_blank_that_is_spoilt_unprinted_is_taken_from_the_box_too(counter: Counter) -> None:
    printing.spoil_plastic(EAST, counter.printer.id, "chip", plastic="04A1B2")
    assert counter.left() == {"ribbon": 200, "cards": 99, "cleaning": 1000}
    job = counter.job("printed", plastic="04A1B3")
    printing.spoil_plastic(EAST, counter.printer.id, "print", card_id=job.card_id, plastic="04A1B3")
    assert counter.left() == {"ribbon": 199, "cards": 98, "cleaning": 999}, "its print counted that one"
    failed = counter.job("failed")
    printing.spoil_plastic(EAST, counter.printer.id, "damaged", card_id=failed.card_id)
    assert counter.left()["cards"] == 97
    box = Supply.objects.get(printer=counter.printer, sort="cards")
    assert [entry.note for entry in box.entries.exclude(note="")][-2:] == ["废卡 04A1B2 芯片写坏", "换新"]
    assert violated() == []


def violated() -> list[str]:
    return [each.name for each in printing.INVARIANTS if check(each).violated]


def test_nothing_is_thrown_away_while_it_may_be_in_the_printer(counter: Counter) -> None:
    for state in ("sent", "unknown"):
        job = counter.job(state)
        with pytest.raises(Refused):
            printing.spoil_plastic(EAST, counter.printer.id, "print", card_id=job.card_id)
        printing.report(AGENT, job.id, "failed")
    queued = counter.job()
    printing.spoil_plastic(EAST, counter.printer.id, "damaged", card_id=queued.card_id)
    queued.refresh_from_db()
    assert queued.state == "cancelled"


def test_a_card_that_is_not_made_here_is_not_printed(counter: Counter) -> None:
    card = counter.card()
    cards.finish_at_counter(EAST, card.id, "04A1")
    with pytest.raises(Refused) as refusal:
        printing.request_print(EAST, card.id, counter.printer.id)
    assert refusal.value.code == "CARD_NOT_AT_COUNTER"


def test_who_may_and_who_sees(counter: Counter) -> None:
    job = counter.job()
    assert list(printing.printers(WEST.scope)) == [] and list(printing.jobs(WEST.scope)) == []
    assert [each.id for each in printing.jobs_of(EAST.scope, job.card_id)] == [job.id]
    for act in (
        lambda: printing.printer(WEST.scope, counter.printer.id),
        lambda: printing.cancel_print(WEST, job.id),
        lambda: printing.settle_print(WEST, job.id, True),
        lambda: printing.switch_printer(WEST, counter.printer.id, False),
        lambda: printing.load_supply(WEST, Supply.objects.first().id),  # type: ignore[union-attr]
        lambda: printing.spoil_plastic(WEST, counter.printer.id, "print"),
        lambda: printing.request_print(WEST, job.card_id, counter.printer.id),
    ):
        with pytest.raises(NotFound):
            act()
    with pytest.raises(Forbidden):
        printing.request_print(counter.city.district, job.card_id, counter.printer.id)
    with pytest.raises(Forbidden):
        printing.load_supply(counter.city.officer, 1)


def test_supplies_warn_before_they_run_out(counter: Counter) -> None:
    ribbon = Supply.objects.get(printer=counter.printer, sort="ribbon")
    printing.count_supply(EAST, ribbon.id, 31, "数过")
    assert not printing.running_low(EAST.scope).exists()
    counter.job("printed")
    assert [each.sort for each in printing.running_low(EAST.scope)] == ["ribbon"]
    levels = {view.label: view.level for view in printing.supplies(counter.printer)}
    assert levels == {"色带": "low", "卡盒里的白卡": "ok", "清洁辊": "ok"}
    printing.count_supply(EAST, ribbon.id, 0, "换到一半")
    counter.job("printed")  # the printer knows better than our count
    assert counter.left()["ribbon"] == 0
    assert printing.load_supply(EAST, ribbon.id).left == 200
    entries = printing.supply_entries(counter.printer).filter(supply=ribbon)
    assert list(entries.values_list("change", "left"))[:4] == [(200, 200), (0, 0), (-30, 0), (-1, 30)]
    for left, note in ((-1, "x"), (201, "x"), (5, " ")):
        with pytest.raises(BadInput):
            printing.count_supply(EAST, ribbon.id, left, note)


def test_printers_are_known_by_name_and_device(counter: Counter) -> None:
    for name, device in (("一号打印机", "other"), ("二号", "Zebra ZC300")):
        with pytest.raises(Refused):
            printing.register_printer(EAST, name, AGENT, device)
    with pytest.raises(BadInput):
        printing.register_printer(EAST, " ", AGENT, "x")
    printing.hear(AGENT, [{"name": "Zebra ZC300", "state": "stopped", "message": "色带用完"}, {"name": "?"}])
    found = printing.printer(EAST.scope, counter.printer.id)
    assert (found.said_state, found.said_message) == ("stopped", "色带用完")
