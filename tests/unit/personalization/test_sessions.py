"""Who may open what, what is refused, what stops an agent, and what nobody comes back to."""

from datetime import timedelta
from functools import partial

import pytest
from django.db import transaction

from tests.support.blanks import SYSTEM
from tests.unit.cards.conftest import NOW
from tests.unit.personalization.conftest import CLERK, FIRST, READER, SECOND, Counter, an_agent
from xueka.contexts.cards import api as cards
from xueka.contexts.numbers import api as numbers
from xueka.contexts.personalization import api as personalization
from xueka.contexts.personalization import jobs
from xueka.contexts.personalization.models import Agent, Run, Session
from xueka.kernel import clock
from xueka.kernel.errors import Forbidden, NotFound, Refused
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope


def refused_with(code: str, act: object) -> None:
    with pytest.raises((Refused, Forbidden, NotFound)) as refused, transaction.atomic():
        act()  # type: ignore[operator]
    assert refused.value.code == code


def test_what_cannot_be_opened(counter: Counter) -> None:
    [planned] = counter.city.planned(counter.city.students())
    refused_with("CARD_NOT_AT_COUNTER", lambda: counter.open(planned.id))
    card = counter.ordered()
    counter.open(card)
    refused_with("SESSION_OPEN", lambda: counter.open(card))
    refused_with("READER_BUSY", counter.open)
    refused_with(
        "READER_NOT_FOUND",
        lambda: personalization.open_session(CLERK, counter.ordered(), counter.agent.pk, "no such reader"),
    )
    refused_with("AGENT_NOT_FOUND", lambda: personalization.open_session(CLERK, counter.ordered(), 0, READER))
    refused_with(
        "PERMISSION_DENIED",
        lambda: personalization.open_session(FIRST, counter.ordered(), counter.agent.pk, READER),
    )


def test_a_chip_that_is_written_is_not_written_again(counter: Counter) -> None:
    """A page that was left open, or a second operator, would spend another piece of plastic on one number."""
    card = counter.ordered()
    session = counter.open(card)
    counter.lay_down(counter.blank())
    session.refresh_from_db()
    assert session.state == "verified"
    refused_with("CARD_WRITTEN", lambda: counter.open(card))


def test_a_district_sees_its_own_agents_only(counter: Counter) -> None:
    with transaction.atomic():
        code, _ = personalization.make_code(FIRST, "110102")
        other = personalization.enrol(code, "西城柜台", b"\x02" * 32, "0.1.0", "")
    clerk = Actor.in_role("d", "柜员", "counter_operator", Scope("district", "110101"))
    assert list(personalization.agents(clerk.scope)) == []
    there = Actor.in_role("d", "柜员", "counter_operator", Scope("district", "110102"))
    assert [agent.pk for agent in personalization.agents(there.scope)] == [other.pk]
    refused_with(
        "AGENT_NOT_FOUND", lambda: personalization.open_session(clerk, counter.ordered(), other.pk, READER)
    )


def test_without_a_profile_in_force_nothing_is_written(counter: Counter) -> None:
    with transaction.atomic():
        personalization.retire(FIRST, personalization.PROFILES, counter.profile.pk, "停用")
    refused_with("PROFILE_NONE", counter.open)


def test_three_failures_in_a_row_stop_the_agent_until_somebody_says_why(counter: Counter) -> None:
    for _ in range(2):
        counter.open()
        assert counter.lay_down(counter.blank(initialised=False)) == "failed"
    counter.open()
    assert counter.lay_down(counter.blank()) == "verified"
    for _ in range(3):
        counter.open()
        assert counter.lay_down(counter.blank(initialised=False)) == "failed"
    counter.agent.refresh_from_db()
    assert counter.agent.state == "stopped"
    refused_with("AGENT_STOPPED", counter.open)
    with transaction.atomic():
        personalization.resume(CLERK, counter.agent.pk, "换了一盒空白卡")
    counter.open()
    assert counter.lay_down(counter.blank(initialised=False)) == "failed"
    counter.agent.refresh_from_db()
    assert counter.agent.state == "enrolled", "it counts from when it was resumed"


def test_a_blocked_agent_gets_nothing(counter: Counter) -> None:
    session = counter.open()
    with transaction.atomic():
        personalization.block(FIRST, counter.agent.pk, "电脑丢失")
    refused_with("AGENT_BLOCKED", counter.open)
    counter.agent.refresh_from_db()
    assert counter.poll() is None
    session.refresh_from_db()
    assert session.state == "waiting" and "已被禁用" in session.message


def test_giving_up(counter: Counter) -> None:
    session = counter.open()
    with transaction.atomic():
        personalization.abort(CLERK, session.pk, "家长改日再来")
    session.refresh_from_db()
    assert session.state == "cancelled"
    session, plastic = counter.open(session.card_id), counter.blank()
    counter.lay_down(plastic, (6, "after"))
    with transaction.atomic():
        personalization.abort(CLERK, session.pk, "卡折断了")
    session.refresh_from_db()
    assert session.state == "void"
    assert cards.card(SYSTEM.scope, session.card_id).state == "failed"


def test_a_card_at_work_cannot_be_given_up(counter: Counter) -> None:
    session = counter.open()
    assert counter.poll() is not None
    refused_with("SESSION_AT_WORK", lambda: personalization.abort(CLERK, session.pk, "等不及"))


def test_a_waiting_card_goes_to_another_reader(counter: Counter) -> None:
    session, plastic = counter.open(), counter.blank()
    counter.lay_down(plastic, (8, "before"))
    other = an_agent("二号柜台", b"\x03" * 32)
    with transaction.atomic():
        personalization.move(CLERK, session.pk, other.pk, READER)
    counter.agent = other
    assert counter.lay_down(plastic) == "verified"


def test_what_nobody_comes_back_to(counter: Counter) -> None:
    waiting = counter.open()
    with clock.at(NOW + timedelta(minutes=61)):
        jobs.sweep_abandoned()
    waiting.refresh_from_db()
    assert waiting.state == "cancelled"
    lost = counter.open(waiting.card_id)
    assert counter.poll() is not None  # a run is out, and the agent is never heard of again
    with clock.at(NOW + timedelta(minutes=11)):
        jobs.sweep_abandoned()
    lost.refresh_from_db()
    assert lost.state == "unknown"
    with clock.at(NOW + timedelta(hours=25)):
        jobs.sweep_abandoned()
    lost.refresh_from_db()
    assert (lost.state, lost.code) == ("failed", "NOT_RETURNED"), "nothing had been written"
    written = counter.open(waiting.card_id)
    counter.lay_down(counter.blank(), (6, "after"))
    with clock.at(NOW + timedelta(hours=25)):
        jobs.sweep_abandoned()
    written.refresh_from_db()
    assert (written.state, written.code) == ("void", "NOT_RETURNED")


def test_a_poll_without_busy_means_that_the_run_was_lost(counter: Counter) -> None:
    session, plastic = counter.open(), counter.blank()
    work = counter.poll()
    assert work is not None and counter.poll("busy") is None
    session.refresh_from_db()
    assert session.state == "running"
    assert counter.lay_down(plastic) == "verified"
    late = counter.report(work["session"], work["run"]["run"], "done", [])
    assert late["next"] is None and late["state"] == "verified"
    assert Run.objects.get(session=session, seq=1).late


def test_a_run_that_is_on_its_way_to_the_agent_is_not_lost(counter: Counter) -> None:
    """It sent this poll before the answer to the one before could reach it."""
    session = counter.open()
    assert counter.poll() is not None
    assert counter.poll("empty", waiting=True) is None
    session.refresh_from_db()
    assert session.state == "running"
    with clock.at(NOW + timedelta(seconds=6)):
        counter.poll("empty", waiting=True)
    session.refresh_from_db()
    assert session.state == "unknown", "it has been on its way for too long"


def test_an_older_poll_that_is_held_brings_no_work(counter: Counter) -> None:
    """It says that a card lies there, and a fresher one knows that it was taken away."""
    counter.poll("card")
    older = personalization.by_code(counter.agent.code)
    with clock.at(NOW + timedelta(seconds=5)):
        counter.poll("empty")
        counter.open()
        stale = [personalization.ReaderReport(READER, "card", "3b68")]
        assert personalization.next_card_work(older, stale) is None
        assert not personalization.is_latest(older)
        assert personalization.is_latest(counter.agent)
        assert counter.poll() is not None


def test_the_same_report_twice_gets_one_answer(counter: Counter) -> None:
    session, plastic = counter.open(), counter.blank()
    work = counter.poll()
    assert work is not None
    answers = [(*counter.send(plastic, each["apdu"]), 1) for each in work["run"]["commands"]]
    first = counter.report(work["session"], work["run"]["run"], "done", answers)
    again = counter.report(work["session"], work["run"]["run"], "pulled", [])
    assert first == again and first["next"] is not None
    assert Run.objects.filter(session=session).count() == 2


def test_a_run_that_was_given_up_is_not_handed_out_again(counter: Counter) -> None:
    session, plastic = counter.open(), counter.blank()
    work = counter.poll()
    assert work is not None
    answers = [(*counter.send(plastic, each["apdu"]), 1) for each in work["run"]["commands"]]
    assert counter.report(work["session"], work["run"]["run"], "done", answers)["next"] is not None
    with clock.at(NOW + timedelta(minutes=11)):
        jobs.sweep_abandoned()  # the answer was lost on its way, and the agent away for long
    again = counter.report(work["session"], work["run"]["run"], "done", answers)
    assert again["next"] is None
    session.refresh_from_db()
    assert session.state == "unknown"


def test_a_key_that_may_not_be_used_loses_no_answer(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xueka.contexts.personalization.services import preparing

    def closed(*args: object, **kwargs: object) -> list[object]:
        raise Refused("KEY_AUDIT", "审计日志写不进去，不能使用密钥。")

    session, plastic = counter.open(), counter.blank()
    work = counter.poll()
    assert work is not None
    answers = [(*counter.send(plastic, each["apdu"]), 1) for each in work["run"]["commands"]]
    with monkeypatch.context() as patched:
        patched.setattr(preparing.keys, "transport_key", closed)
        with pytest.raises(Refused, match="审计日志"):
            counter.report(work["session"], work["run"]["run"], "done", answers)
    assert Run.objects.get(session=session).words == ["9000", "9000", "9000"]
    assert counter.report(work["session"], work["run"]["run"], "done", answers)["next"] is not None


def test_nobody_reports_for_another_agent(counter: Counter) -> None:
    counter.open()
    work = counter.poll()
    assert work is not None
    other = an_agent("二号柜台", b"\x03" * 32)
    given = personalization.Report("done", "", [])
    refused_with(
        "SESSION_UNKNOWN",
        lambda: personalization.report(other, int(work["session"]), work["run"]["run"], given),
    )
    for run in ("9-9", f"{work['session']}-9", "x", ""):
        asked = partial(personalization.report, counter.agent, int(work["session"]), run, given)
        refused_with("RUN_UNKNOWN", asked)


def test_blanks_of_a_lot_leave_the_stock(counter: Counter) -> None:
    with transaction.atomic():
        lot = "序号,芯片UID\n1,04A1B2C3000001\n2,04A1B2C3000002\n"
        numbers.import_blank_lot(SYSTEM, lot.encode(), "L1", "公司", "甲")
        numbers.set_aside(SYSTEM, "L1", [2], "spoiled", "折弯")
    session = counter.open()
    assert counter.lay_down(counter.blank(uid="04A1B2C3000002")) == "failed"
    session.refresh_from_db()
    assert "批号 L1 第 2 张" in session.message
    session = counter.open(session.card_id)
    assert counter.lay_down(counter.blank(uid="04A1B2C3000001")) == "verified"
    blank = numbers.blank_with("04A1B2C3000001")
    assert blank is not None and (blank.state, blank.card_id) == ("bound", session.card_id)


def test_only_blanks_of_the_own_counter_are_written(counter: Counter) -> None:
    with transaction.atomic():
        lot = "序号,芯片UID\n" + "".join(f"{place},04A1B2C300000{place}\n" for place in (1, 2, 3))
        numbers.import_blank_lot(SYSTEM, lot.encode(), "L1", "公司", "甲")
        paper = ("甲", "乙", "GT-1")
        numbers.give_to_counter(SYSTEM, "110102", "L1", 1, 1, 1, paper)
        numbers.give_to_counter(SYSTEM, numbers.CITY, "L1", 2, 2, 1, paper)
    session = counter.open()
    for chip, why in (
        ("04A1B2C3000001", "发给西城区柜台"),
        ("04AABBCCDDEE01", "不在发给本柜台的批次里"),
    ):
        assert counter.lay_down(counter.blank(uid=chip)) == "failed"
        session.refresh_from_db()
        assert why in session.message
        session = counter.open(session.card_id)
    assert counter.lay_down(counter.blank(uid="04A1B2C3000002")) == "verified"
    own = next(each for each in numbers.counter_stock(SYSTEM.scope) if each.counter == numbers.CITY)
    assert (own.handed, own.made, own.left) == (1, 1, 0)


def test_a_card_that_was_given_up_meanwhile_makes_void_plastic(counter: Counter) -> None:
    session, plastic = counter.open(), counter.blank()
    work = counter.poll()
    with transaction.atomic():
        cards.spoil_at_counter(SYSTEM, session.card_id, "家长不要了")
    run = work["run"] if work else None
    while run is not None:
        answers = [(*counter.send(plastic, each["apdu"]), 1) for each in run["commands"]]
        reply = counter.report(str(session.pk), run["run"], "done", answers)
        run = reply["next"]
    assert reply["state"] == "void"
    assert Session.objects.get(pk=session.pk).code == "CARD_GONE"


def test_enrolling(counter: Counter) -> None:
    with transaction.atomic():
        code, _ = personalization.make_code(FIRST)
    key = b"\x07" * 32
    loose = code.lower().replace("-", " ")
    made = personalization.enrol(loose, "三号柜台", key, "0.1.0", "10.0.0.1")
    assert personalization.enrol(code, "三号柜台", key, "0.1.0", "10.0.0.1").pk == made.pk
    refused_with("CODE_USED", lambda: personalization.enrol(code, "x", b"\x08" * 32, "1", ""))
    refused_with("CODE_WRONG", lambda: personalization.enrol("AAAA", "x", key, "1", ""))
    with transaction.atomic():
        late, _ = personalization.make_code(FIRST)
    with clock.at(NOW + timedelta(minutes=11)):
        refused_with("CODE_EXPIRED", lambda: personalization.enrol(late, "x", b"\x08" * 32, "1", ""))
    refused_with("AGENT_KEY_KNOWN", lambda: personalization.enrol(late, "x", key, "1", ""))
    refused_with("PERMISSION_DENIED", lambda: personalization.make_code(CLERK))
    assert Agent.objects.get(pk=made.pk).enrolled_by == FIRST.username
    assert SECOND.may("city:agent:manage")


def test_progress_in_words(counter: Counter) -> None:
    session = counter.open()
    before = personalization.progress(session.pk)
    assert (before.percent, before.over, {step.state for step in before.steps}) == (0, False, {"todo"})
    counter.lay_down(counter.blank(), (8, "before"))
    middle = personalization.progress(session.pk)
    order = ["done", "doing", "todo"]
    states = [step.state for step in middle.steps]
    assert set(states) >= {"done", "todo"}
    assert states == sorted(states, key=order.index)  # ticked from the first to the last
    assert len({step.title for step in middle.steps}) == len(middle.steps)
    assert 0 < middle.percent < 100 and "放回" in middle.message
    counter_again = personalization.readers(counter.agent.pk)
    assert [(each.name, each.label, each.session_id) for each in counter_again] == [
        (READER, "有卡", session.pk)
    ]
