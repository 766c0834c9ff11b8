"""Cards written through the services onto the virtual card: the plain way, and every way of being pulled."""

from datetime import timedelta

import pytest

from tests.support.blanks import SYSTEM, card_key
from tests.support.finishing import finish
from tests.unit.cards.conftest import NOW
from tests.unit.personalization.conftest import Counter
from xueka.contexts.cards import api as cards
from xueka.contexts.operations.verify import INVARIANTS, verify
from xueka.contexts.personalization import api as personalization
from xueka.contexts.personalization.domain.steps import CardKeyName
from xueka.contexts.personalization.models import CardKeyVersion, Run, Session
from xueka.contexts.personalization.services.preparing import values_of
from xueka.kernel import clock
from xueka.platform.identity.scope import EVERYWHERE

#: How many commands the plain way has: what a pull may hit.
COMMANDS = 15
OURS = ("personalization", "numbers", "card_", "cards", "application", "issuing_agent")


def violated() -> list[str]:
    """What does not hold of cards, numbers and journal (the students of these tests are bare)."""
    names = [each.name for each in INVARIANTS if each.name.startswith(OURS)]
    assert len(names) > 20
    return [f"{result.name}: {result.examples}" for result in verify(names) if result.violated]


@pytest.fixture(params=["counter", "counter_sm4"])
def both(request: pytest.FixtureRequest) -> Counter:
    """3DES and SM4."""
    found: Counter = request.getfixturevalue(request.param)
    return found


def test_a_card_is_written_and_proved_in_six_round_trips(both: Counter) -> None:
    session = both.open()
    assert both.lay_down(both.blank()) == "verified"
    assert both.reports + 1 <= 6
    card = cards.card(EVERYWHERE, session.card_id)
    session.refresh_from_db()
    assert (session.state, card.state) == ("verified", "issuing")
    finish(SYSTEM, card.pk)
    made_of = {(row.role, row.label, row.version) for row in personalization.lineage(card.pk)}
    prefix = "education_sm4" if both.profile.algorithm == "sm4" else "education"
    assert made_of == {
        (f"education.{name}", f"{prefix}.adf.{name}", 1) for name in ("control", "internal", "external")
    }
    assert violated() == []


def test_a_blank_from_its_maker_is_initialised_first(both: Counter) -> None:
    session = both.open(whole=True)
    plastic = both.blank(initialised=False)
    assert both.lay_down(plastic) == "verified"
    assert personalization.progress(session.pk).round_trips == both.reports + 1
    roles = {row.role for row in CardKeyVersion.objects.filter(session=session)}
    assert {"mf.control", "mf.maintain", "education.maintain", "education.control"} <= roles


def test_a_card_that_was_pulled_and_put_back_is_written(counter: Counter) -> None:
    """At every command, before and after the card has carried it out."""
    for at in range(COMMANDS):
        for when in ("before", "after"):
            session, plastic = counter.open(), counter.blank()
            assert counter.lay_down(plastic, (at, when)) == "running", (at, when)
            session.refresh_from_db()
            assert session.state == "unknown", (at, when)
            assert counter.poll("empty") is None
            assert counter.lay_down(plastic) == "verified", (at, when)
            versions = CardKeyVersion.objects.filter(card_id=session.card_id)
            assert versions.count() == versions.values("role").distinct().count() == 3, (at, when)
    assert violated() == []


def test_the_plain_way_has_so_many_commands(counter: Counter) -> None:
    counter.open()
    plastic = counter.blank()
    counter.lay_down(plastic)
    assert len(plastic.sent) == COMMANDS


def test_another_card_in_its_place_is_refused_and_the_right_one_taken(counter: Counter) -> None:
    session = counter.open()
    right, other = counter.blank(), counter.blank()
    counter.lay_down(right, (6, "after"))
    assert counter.lay_down(other) == "running"
    session.refresh_from_db()
    assert session.state == "unknown" and right.uid in session.message
    assert len([apdu for apdu in other.sent if apdu.startswith(("84d4", "00d6"))]) == 0
    assert counter.lay_down(right) == "verified"


def test_a_card_that_is_no_blank_is_left_alone(counter: Counter) -> None:
    session = counter.open()
    assert counter.lay_down(counter.blank(initialised=False)) == "failed"
    session.refresh_from_db()
    assert session.state == "failed" and "不是已初始化的空白卡" in session.message
    assert cards.card(EVERYWHERE, session.card_id).state == "issuing"
    again = counter.open(session.card_id)
    assert counter.lay_down(counter.blank()) == "verified"
    assert again.pk != session.pk
    assert violated() == []


def test_a_card_that_was_written_before_is_not_written_again(counter: Counter) -> None:
    counter.open()
    plastic = counter.blank()
    assert counter.lay_down(plastic) == "verified"
    second = counter.open()
    assert counter.lay_down(plastic) == "failed"
    second.refresh_from_db()
    assert "已用过" in second.message and not second.touched


def test_worn_out_memory_makes_the_card_void_and_its_numbers_spoiled(counter: Counter) -> None:
    session = counter.open()
    plastic = counter.blank()
    plastic.system.card.endurance = plastic.system.card.writes + 4
    assert counter.lay_down(plastic) == "void"
    card = cards.card(EVERYWHERE, session.card_id)
    session.refresh_from_db()
    assert (session.state, card.state, card.chip_uid) == ("void", "failed", "")
    assert "剪角" in session.plastic
    assert violated() == []


def test_no_run_ever_carries_a_key_in_clear(both: Counter) -> None:
    both.open(whole=True)
    plastic = both.blank(initialised=False)
    assert both.lay_down(plastic) == "verified"
    values = values_of(Session.objects.get())
    names = [CardKeyName(row.label, row.factor) for row in CardKeyVersion.objects.all()]
    names += [CardKeyName(label) for label in both.parsed.labels if label.startswith("transport")]
    assert len(names) == 8
    sent = "".join(plastic.sent)
    stored = b"".join(bytes(run.commands) for run in Run.objects.all())
    for name in names:
        value = card_key(name, values).plain_write_body(b"")
        for half in (value[:8], value[8:]):
            assert half.hex() not in sent, name
            assert half not in stored, name


def test_a_wrong_card_that_is_left_lying_is_looked_at_once(counter: Counter) -> None:
    counter.open()
    right, other = counter.blank(), counter.blank()
    counter.lay_down(right, (6, "after"))
    with clock.at(NOW + timedelta(seconds=5)):
        assert counter.lay_down(other) == "running"
    with clock.at(NOW + timedelta(seconds=6)):
        assert counter.poll() is None, "the same card still lies there"
    with clock.at(NOW + timedelta(seconds=36)):
        assert counter.lay_down(other) == "running", "a swap may have gone unseen"
    with clock.at(NOW + timedelta(seconds=37)):
        counter.poll("empty")
    with clock.at(NOW + timedelta(seconds=38)):
        assert counter.lay_down(right) == "verified"


def test_a_stranger_with_a_long_answer_is_no_blank(counter: Counter) -> None:
    session = counter.open()
    plastic = counter.blank()
    plastic.uid = "AB" * 11
    assert counter.lay_down(plastic) == "failed"
    session.refresh_from_db()
    assert "太长" in session.message and not session.touched


def test_a_refused_first_key_keeps_the_card_from_nobody(counter: Counter) -> None:
    """Its key was on the way to that plastic: card and plastic are void together."""
    session = counter.open(whole=True)
    plastic = counter.blank(initialised=False)
    work = counter.poll()
    assert work is not None
    run = work["run"]
    while run is not None:
        answers, outcome = [], "done"
        for command in run["commands"]:
            if command["apdu"].startswith("84d4"):
                answers, outcome = [*answers, (b"", "6988", 1)], "stopped"
                break
            answers.append((*counter.send(plastic, command["apdu"]), 1))
        run = counter.report(work["session"], run["run"], outcome, answers)["next"]
    session.refresh_from_db()
    assert session.state == "void"
    assert violated() == []
