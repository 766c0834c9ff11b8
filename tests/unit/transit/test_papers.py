"""Extensions, ranges, the schedule, hand-overs, the whole hot-list and scripts, to the company and back."""

import hashlib
from datetime import date, datetime, timedelta

import pytest
from django.db import transaction

from tests.unit.personalization import test_machines as made_up
from tests.unit.personalization.test_scripts import script_text
from tests.unit.transit.conftest import OPERATOR, SYSTEM, City, Company, documented
from xueka.contexts.cards import api as cards
from xueka.contexts.numbers import api as numbers
from xueka.contexts.personalization import api as personalization
from xueka.contexts.transit import api as transit
from xueka.contexts.transit.domain.transitions import PAPER
from xueka.contexts.transit.models import (
    Binding,
    Extension,
    Follower,
    Paper,
    ScriptNotice,
    ScriptReport,
    Validity,
)
from xueka.contexts.transit.services import scripts
from xueka.contexts.transit.services.extensions import next_end
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Forbidden, Refused
from xueka.platform.exchange.models import Incoming, Outgoing, Stream
from xueka.platform.history.services import apply
from xueka.platform.identity.scope import EVERYWHERE

SLIP = {"given_by": "甲", "received_by": "乙", "counterparty": "一卡通公司", "document": "函 1"}


@pytest.mark.parametrize(
    ("today", "end"),
    [("2026-09-01", "2027-08-31"), ("2026-05-31", "2026-08-31"), ("2026-06-01", "2027-08-31")],
)
def test_the_end_that_is_asked_for(today: str, end: str) -> None:
    assert next_end(date.fromisoformat(today)) == date.fromisoformat(end)


def test_a_school_extends_its_cards(company: Company, city: City) -> None:
    ids = city.students(3)
    documented(ids)
    made = city.active(ids)
    transit.follow(SYSTEM)
    transit.catch_up(SYSTEM)
    company.talk()
    until = next_end(date(2026, 9, 1))
    Validity.objects.update(valid_until=date(2026, 8, 31))
    with transaction.atomic():
        cards.report_lost(SYSTEM, made[2], "x")
    seen = transit.decide(city.officer, made)
    assert seen.done == made[:2] and [code for _, code, _ in seen.refused] == ["CARD_NOT_ACTIVE"]
    assert [code for _, code, _ in transit.decide(city.other_officer, made).refused] == ["CARD_NOT_FOUND"] * 3
    with pytest.raises(Forbidden):
        transit.decide(city.district, made)
    company.house.book.put("transit-bindings", cards.Card.objects.get(id=made[1]).number, "")
    assert transit.ask(city.officer, made).done == made[:2]
    assert transit.ask(city.officer, made).done == []  # asked already
    company.talk()
    rows = {each.card_id: each for each in Extension.objects.all()}
    assert rows[made[0]].state == "granted"
    assert (rows[made[1]].state, rows[made[1]].code) == ("refused", "NOT_BOUND")
    assert Validity.objects.get(card=made[0]).valid_until == rows[made[0]].until
    assert rows[made[0]].until >= until
    again = transit.decide(city.officer, made[:1])
    assert again.done == [] and again.refused[0][1] == "LONG_ENOUGH"
    Binding.objects.filter(card=made[0]).update(state="sent")
    Validity.objects.filter(card=made[0]).update(valid_until=date(2026, 8, 31))
    assert transit.decide(city.officer, made[:1]).refused[0][1] == "NOT_BOUND"


def test_a_range_is_granted_and_registered_by_a_person(company: Company) -> None:
    with pytest.raises(BadInput):
        transit.ask_range(OPERATOR, 0, "x")
    paper = transit.ask_range(OPERATOR, 5000, "新学年")
    company.talk()
    paper.refresh_from_db()
    assert (paper.state, paper.theirs["first"], paper.theirs["last"]) == ("answered", 1, 5000)
    before = len(numbers.ranges(EVERYWHERE))
    taken = transit.take(OPERATOR, paper.id)
    assert taken.state == "settled"
    found = numbers.ranges(EVERYWHERE)
    assert len(found) == before + 1 and any(each.first_number == "1000880000000001" for each in found)
    with pytest.raises(Refused):
        transit.take(OPERATOR, paper.id)


def test_the_schedule_is_confirmed_or_moved(company: Company) -> None:
    days = (date(2026, 10, 1), date(2026, 10, 20))
    order = numbers.plan(OPERATOR, "一卡通公司", 1000, *days)
    transit.tell_papers(SYSTEM)
    transit.tell_papers(SYSTEM)
    company.talk()
    paper = Paper.objects.get(kind="schedule")
    assert (paper.state, paper.turn) == ("agreed", 1)
    numbers.reschedule(OPERATOR, order.number, days[0], days[1] + timedelta(days=1), "推迟")
    company.dial(moved=1)
    transit.tell_papers(SYSTEM)
    company.talk()
    paper.refresh_from_db()
    assert (paper.state, paper.turn, paper.theirs["due_on"]) == ("answered", 2, "2026-10-24")
    transit.take(OPERATOR, paper.id)
    company.dial(moved=0)
    transit.tell_papers(SYSTEM)  # ours has moved: told, and agreed
    company.talk()
    order.refresh_from_db()
    paper.refresh_from_db()
    assert (str(order.due_on), paper.state, paper.turn) == ("2026-10-24", "agreed", 3)


def test_another_quantity_is_no_other_day(company: Company) -> None:
    numbers.plan(OPERATOR, "一卡通公司", 1000, date(2026, 10, 1), date(2026, 10, 20))
    transit.tell_papers(SYSTEM)
    said = {"accepted": True, "note": "", "quantity": 900, "planned_on": "2026-10-01", "due_on": "2026-10-20"}
    Paper.objects.update(theirs=said)
    paper = Paper.objects.get()
    apply(PAPER, Paper, [paper.id], "answer", SYSTEM)
    with pytest.raises(Refused) as refused:
        transit.take(OPERATOR, paper.id)
    assert refused.value.code == "QUANTITY_DIFFERS"
    transit.leave(OPERATOR, paper.id, "按 1000 张执行")


def test_a_hand_over_is_counted_on_both_sides(company: Company) -> None:
    order = numbers.plan(OPERATOR, "一卡通公司", 1000, date(2026, 10, 1), date(2026, 10, 20))
    numbers.hand_over(OPERATOR, "send", numbers.Slip(quantity=600, **SLIP), order=order.number)
    transit.tell_papers(SYSTEM)
    company.talk()
    assert Paper.objects.get(kind="hand_over").state == "agreed"
    company.dial(miscounted=1)
    numbers.hand_over(OPERATOR, "send", numbers.Slip(quantity=400, **SLIP), order=order.number)
    transit.tell_papers(SYSTEM)
    company.talk()
    paper = Paper.objects.get(kind="hand_over", state="answered")
    assert paper.theirs["quantity"] == 399
    with pytest.raises(Refused):
        transit.take(OPERATOR, paper.id)
    with pytest.raises(BadInput):
        transit.leave(OPERATOR, paper.id, " ")
    assert transit.leave(OPERATOR, paper.id, "重新清点为 400").state == "settled"


def test_the_whole_hot_list_is_confirmed_by_count_and_digest(company: Company, city: City) -> None:
    made = city.active(city.students(2))
    with transaction.atomic():
        cards.report_lost(SYSTEM, made[0], "x")
    transit.follow(SYSTEM)
    transit.catch_up(SYSTEM)
    paper = transit.send_whole(OPERATOR)
    company.talk()
    paper.refresh_from_db()
    assert (paper.state, paper.ours["count"]) == ("agreed", 1)


def test_a_change_that_the_whole_has_overtaken_is_told_again(company: Company, city: City) -> None:
    """Written before the card was lost, delivered after the company was told of it."""
    [card_id] = city.active(city.students(1))
    transit.follow(SYSTEM)
    paper = transit.send_whole(OPERATOR)
    with transaction.atomic():
        cards.report_lost(SYSTEM, card_id, "x")
    transit.follow(SYSTEM)
    whole = Stream.objects.filter(key=f"hot_list:{paper.number}")
    whole.update(next_at=clock.now() + timedelta(hours=1))
    company.talk()
    whole.update(next_at=clock.now())
    company.talk()
    paper.refresh_from_db()
    assert paper.state == "agreed"
    listed = company.house.store.all("select key from record where dataset = 'transit-hot-list'")
    assert len(listed) == 1


def test_a_whole_that_is_received_twice_is_told_of_once(company: Company, city: City) -> None:
    made = city.active(city.students(2))
    transit.follow(SYSTEM)
    paper = transit.send_whole(OPERATOR)
    company.talk()
    with transaction.atomic():
        cards.report_lost(SYSTEM, made[0], "x")
    transit.follow(SYSTEM)
    told = Outgoing.objects.filter(kind="hotlist.changed").count()
    again = {"number": paper.number, "turn": 1, "accepted": True, "note": "", "count": 0, "digest": "0" * 64}
    company.house._tell({"kind": "hotlist.received", "key": f"hot_list:{paper.number}", "data": again})
    company.deliver()
    assert Outgoing.objects.filter(kind="hotlist.changed").count() == told
    assert not Incoming.objects.filter(state="dead").exists()


def test_a_script_comes_as_it_was_and_is_a_draft(company: Company, city: City) -> None:
    told = {"text": script_text("field"), "sha256": hashlib.sha256(script_text("field").encode()).hexdigest()}
    company.house._tell({"kind": "script.announced", "key": "script:x", "data": told})
    company.deliver()
    notice = ScriptNotice.objects.get()
    [script] = personalization.scripts(EVERYWHERE)
    assert (script.code, script.state) == (notice.code, "draft")
    company.house._tell(
        {"kind": "script.announced", "key": "script:y", "data": told | {"text": script_text("field") + " "}}
    )
    company.deliver()
    assert Incoming.objects.get(state="dead").code == "SCRIPT_DIGEST"
    assert transit.report_results(SYSTEM) == 0


def test_a_beat_looks_at_no_run_of_a_script_that_an_earlier_one_has_done_with(
    company: Company, city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = script_text("field")
    late = personalization.load_script(SYSTEM, text.encode())  # known here before the company announces it
    known = made_up.script("in_force")
    ScriptNotice.objects.create(code=known.code, version=known.version, sha256="0", heard_at=clock.now())
    transit.follow(SYSTEM)
    before, now = clock.now() - timedelta(days=9), clock.now()

    def run(script: personalization.CardScript, state: str, at: datetime) -> personalization.Upgrade:
        [card] = city.active(city.students(1))
        session = made_up.session("verified")
        return personalization.Upgrade.objects.create(
            card_id=card, script=script, session=session, state=state, at=at
        )

    def reported() -> tuple[int, int]:
        return transit.report_results(SYSTEM), Follower.objects.get().reported_up_to

    first, running, third = (
        run(known, "done", before),
        run(known, "running", before),
        run(known, "done", before),
    )
    other, today = run(late, "done", before), run(known, "failed", now)
    monkeypatch.setattr(scripts, "AT_ONCE", 2)
    assert reported() == (2, first.id)  # one that has not ended holds the place
    monkeypatch.setattr(scripts, "AT_ONCE", 500)
    assert reported() == (1, first.id)
    personalization.Upgrade.objects.filter(id=running.id).update(state="done")
    assert reported() == (1, other.id)  # a run of today may still have an earlier one beside it
    with clock.at(now + timedelta(days=2)):
        assert reported() == (0, today.id)
    assert set(ScriptReport.objects.values_list("upgrade_id", flat=True)) == {
        each.id for each in (first, running, third, today)
    }

    told = {"text": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    company.house._tell({"kind": "script.announced", "key": "script:x", "data": told})
    company.deliver()
    assert transit.report_results(SYSTEM) == 1 == ScriptReport.objects.filter(upgrade_id=other.id).count()
