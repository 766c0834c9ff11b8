"""Real-name binding and hot-list follow the cards: bound when handed out, released and listed when lost."""

from collections.abc import Callable, Sequence
from datetime import timedelta

import psycopg
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.support.machines import assert_every_pair_in_a_table
from tests.unit.transit.conftest import OPERATOR, SYSTEM, City, Company, documented
from xueka.contexts.cards import api as cards
from xueka.contexts.interop import api as interop
from xueka.contexts.interop.jobs import tell_again
from xueka.contexts.registry import api as registry
from xueka.contexts.transit import api as transit
from xueka.contexts.transit.domain.transitions import BINDING, EXTENSION, PAPER
from xueka.contexts.transit.models import Binding, Block, Follower, HotCard, Validity
from xueka.contexts.transit.services import bindings
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.kernel.machine import Machine
from xueka.platform.crypto.fields import seal
from xueka.platform.database import address
from xueka.platform.database.address import Role
from xueka.platform.exchange import queries as exchange
from xueka.platform.exchange.models import Outgoing
from xueka.platform.invariants import check


@pytest.fixture
def known(company: Company, card: cards.Card) -> cards.Card:
    """A card that was handed out before the company came; its child has a document."""
    documented([card.student_id])
    with transaction.atomic():
        transit.follow(SYSTEM)
        transit.catch_up(SYSTEM)
    return card


def state_of(card: cards.Card) -> str:
    return Binding.objects.get(card=card).state


def test_bound_when_handed_out_with_validity(company: Company, known: cards.Card) -> None:
    assert state_of(known) == "sent"
    company.talk()
    assert state_of(known) == "bound"
    assert Validity.objects.get(card=known).fare == "student"
    assert transit.catch_up(SYSTEM) == 0 == transit.follow(SYSTEM)


def test_what_is_sent_is_masked_on_screen_and_no_more_than_needed(known: cards.Card) -> None:
    message = Outgoing.objects.get(kind="binding.asked")
    shown = exchange.content(message)
    assert set(shown) == {"card", "transit_number", "ask", "name", "id_type", "id_number"}
    assert shown["id_number"] != "110101201503070017" and "*" in shown["id_number"]
    assert shown["name"] != known.student.name


def test_a_new_card_is_bound_and_a_lost_one_released_and_listed(
    company: Company, known: cards.Card, city: City
) -> None:
    company.talk()
    with transaction.atomic():
        cards.report_lost(SYSTEM, known.id, "丢了")
    transit.follow(SYSTEM)
    assert state_of(known) == "releasing"
    company.talk()
    assert state_of(known) == "unbound"
    hot = HotCard.objects.get(card=known)
    assert (hot.reason, hot.version, hot.confirmed) == ("lost", 1, 1)
    with transaction.atomic():
        cards.lift(SYSTEM, known.id, "找到了")
    transit.follow(SYSTEM)
    company.talk()
    hot.refresh_from_db()
    assert (state_of(known), hot.reason, hot.version, hot.confirmed) == ("bound", "", 2, 2)
    assert [kind for _, kind in company.applied()] == [
        "binding.asked", "binding.release", "hotlist.changed", "binding.asked", "hotlist.changed",
    ]  # fmt: skip


def test_lost_and_lifted_before_anybody_answered(company: Company, known: cards.Card) -> None:
    for step in (cards.report_lost, cards.lift):
        with transaction.atomic():
            step(SYSTEM, known.id, "x")
        transit.follow(SYSTEM)
    company.talk()
    assert (state_of(known), HotCard.objects.get().reason) == ("bound", "")


def test_a_refusal_is_work_and_is_sent_again(company: Company, known: cards.Card, city: City) -> None:
    company.dial(unbound=1)
    company.talk()
    binding = Binding.objects.get()
    assert (binding.state, binding.code, binding.reason) == (
        "refused", "NAME_MISMATCH", "姓名与证件号码不一致",
    )  # fmt: skip
    assert transit.refused_bindings(city.officer.scope) == 1
    assert transit.refused_bindings(city.other_officer.scope) == 0
    company.dial(unbound=0)
    assert transit.send_again(city.officer, [binding.id]) == 1
    company.talk()
    assert state_of(known) == "bound"


def test_without_document_or_consent_it_waits(company: Company, card: cards.Card) -> None:
    transit.follow(SYSTEM)
    transit.catch_up(SYSTEM)
    assert (state_of(card), Binding.objects.get().code) == ("wanted", "DOCUMENT_MISSING")
    documented([card.student_id])
    with transaction.atomic():
        registry.record_consent(SYSTEM, [card.student_id], "given", "2026-1", "某", "page")
        registry.record_consent(SYSTEM, [card.student_id], "withdrawn", "2026-1", "", "page")
    bindings.send_waiting(SYSTEM)
    assert Binding.objects.get().code == "CONSENT_WITHDRAWN"
    with transaction.atomic():
        registry.record_consent(SYSTEM, [card.student_id], "given", "2026-1", "某", "page")
    bindings.send_waiting(SYSTEM)
    assert state_of(card) == "sent"


def test_cards_that_move_later_are_followed(company: Company, city: City) -> None:
    transit.follow(SYSTEM)
    assert Follower.objects.count() == 1
    ids = city.students(3)
    documented(ids)
    city.active(ids)
    for _ in range(2):
        transit.follow(SYSTEM)
    assert list(Binding.objects.values_list("state", flat=True)) == ["sent"] * 3
    assert Outgoing.objects.filter(kind="binding.asked").count() == 3


def test_what_the_company_blocked_is_known(company: Company, known: cards.Card) -> None:
    company.talk()
    told = {
        "card": known.number,
        "transit_number": known.transit_number,
        "blocked": True,
        "reason": "消费异常",
        "as_of": company.house.clock.now().isoformat(),
    }
    company.house._tell({"kind": "card.blocked", "key": f"card:{known.number}", "data": told})
    company.deliver()
    found = transit.block_of(known.id)
    assert found and found.reason == "消费异常"
    company.house._tell(
        {"kind": "card.blocked", "key": f"card:{known.number}", "data": told | {"blocked": False}}
    )
    company.deliver()
    assert transit.block_of(known.id) is None and Block.objects.count() == 1


def test_both_sides_compare_equal_and_a_lost_answer_is_taken(
    company: Company, known: cards.Card, city: City
) -> None:
    company.talk()
    sets = ("transit-bindings", "transit-hot-list", "transit-validity")

    def differing() -> list[int]:
        return [interop.reconcile(SYSTEM, company.partner, each).differing for each in sets]

    assert differing() == [0, 0, 0]
    company.house.book.put("transit-bindings", known.number, "")
    company.house.book.put("transit-hot-list", known.number, f"{known.number}|{known.transit_number}|lost")
    company.fare(known, "2031-08-31")
    assert differing() == [1, 1, 1]
    rows = {each.dataset: each.id for each in interop.differences(SYSTEM)}
    interop.send_again(SYSTEM, [rows["transit-bindings"]])
    interop.take_theirs(SYSTEM, [rows["transit-validity"]])
    with pytest.raises(Refused):  # never told of this card: theirs to explain
        interop.send_again(SYSTEM, [rows["transit-hot-list"]])
    company.house.book.put("transit-hot-list", known.number, "")
    company.talk()
    assert differing() == [0, 0, 0]
    assert str(Validity.objects.get().valid_until) == "2031-08-31"


def test_what_they_keep_after_it_is_over_is_told_again(company: Company, known: cards.Card) -> None:
    """They came back from a backup: the card that was found is listed, the child of the lost one bound."""
    company.talk()
    for step in (cards.report_lost, cards.lift):
        with transaction.atomic():
            step(SYSTEM, known.id, "x")
        transit.follow(SYSTEM)
    company.talk()
    company.house.book.put("transit-hot-list", known.number, f"{known.number}|{known.transit_number}|lost")
    assert interop.reconcile(SYSTEM, company.partner, "transit-hot-list").differing == 1
    assert tell_again("transit", "transit-hot-list") == 1
    company.talk()
    assert interop.reconcile(SYSTEM, company.partner, "transit-hot-list").differing == 0
    with transaction.atomic():
        cards.report_lost(SYSTEM, known.id, "x")
    transit.follow(SYSTEM)
    company.talk()
    company.house.book.put("transit-bindings", known.number, f"{known.number}|{known.transit_number}")
    assert interop.reconcile(SYSTEM, company.partner, "transit-bindings").differing == 1
    [row] = interop.differences(SYSTEM)
    assert (row.dataset, row.kind) == ("transit-bindings", "missing_here")
    assert interop.sendable([row]) == {row.id}
    interop.send_again(SYSTEM, [row.id])
    company.talk()
    assert interop.reconcile(SYSTEM, company.partner, "transit-bindings").differing == 0
    assert state_of(known) == "unbound"


@pytest.mark.parametrize(
    ("letters", "table"),
    [(transit.binding_letters, "transit_binding"), (transit.hot_letters, "transit_hotcard")],
    ids=["bindings", "hot-list"],
)
def test_no_word_comes_between_reading_and_telling_again(
    company: Company, known: cards.Card, letters: Callable[[Sequence[str]], object], table: str
) -> None:
    with transaction.atomic(), CaptureQueriesContext(connection) as asked:
        letters([known.number])
    [read] = [each["sql"] for each in asked if f'FROM "{table}"' in each["sql"]]
    assert "FOR UPDATE" in read


def test_what_they_told_after_the_comparison_is_later_than_it(company: Company, known: cards.Card) -> None:
    company.talk()
    company.fare(known, "2031-08-31")
    interop.reconcile(SYSTEM, company.partner, "transit-validity")
    [row] = interop.differences(SYSTEM)
    company.later(60)
    company.fare(known, "2032-08-31", tell=True)
    company.deliver()
    with pytest.raises(Refused) as refused:
        interop.take_theirs(SYSTEM, [row.id])
    assert refused.value.code == "TOLD_SINCE"
    assert str(Validity.objects.get().valid_until) == "2032-08-31"


@pytest.mark.parametrize("theirs", ["{}|student|", "{}|student|soon", "{}|senior|2031-08-31", "{}"])
def test_a_record_that_is_none_is_not_taken(company: Company, known: cards.Card, theirs: str) -> None:
    text = theirs.format(f"{known.number}|{known.transit_number}")
    with pytest.raises(Refused) as refused:
        transit.take_validity(SYSTEM, known.number, text, clock.now())
    assert refused.value.code == "TRANSIT_CARD" and not Validity.objects.exists()


def test_cards_of_before_are_found_by_a_round_of_pieces(company: Company, city: City) -> None:
    """However many cards there are, a beat looks at some; the next round comes a day after this one's end."""
    ids = city.students(5)
    documented(ids)
    made = city.active(ids)
    transit.follow(SYSTEM)
    places = []
    for _ in range(5):
        transit.catch_up(SYSTEM, most=1, piece=2)
        places.append((Follower.objects.get().caught_up_to, Binding.objects.count()))
    assert places == [(each, at) for at, each in enumerate(made, 1)]
    assert Follower.objects.get().caught_up_at is None
    transit.catch_up(SYSTEM, most=1, piece=2)
    assert (Follower.objects.get().caught_up_to, Follower.objects.get().caught_up_at is None) == (0, False)

    Binding.objects.filter(card=made[-1]).delete()
    assert transit.catch_up(SYSTEM, most=9, piece=2) == 0  # not before tomorrow
    with clock.at(clock.now() + timedelta(days=1, seconds=1)):
        assert transit.catch_up(SYSTEM, most=9, piece=2) == 0
        assert Follower.objects.get().caught_up_to == made[1]  # nothing is lacking here, and on it goes
        while Follower.objects.get().caught_up_to:
            transit.catch_up(SYSTEM, most=9, piece=2)
    assert Binding.objects.count() == 5


def test_some_that_lack_something_for_years_keep_no_other_waiting(company: Company, city: City) -> None:
    made = city.active(city.students(4))
    transit.follow(SYSTEM)
    transit.catch_up(SYSTEM)
    last = cards.Card.objects.get(id=made[-1])
    documented([last.student_id])
    for _ in range(200):
        if bindings.send_waiting(SYSTEM, most=1):
            break
    assert state_of(last) == "sent"
    assert Binding.objects.filter(state="wanted", code="DOCUMENT_MISSING").count() == 3


def test_a_refused_one_says_that_it_does_not_go_by_itself(company: Company, known: cards.Card) -> None:
    company.dial(unbound=1)
    company.talk()
    registry.Student.objects.filter(id=known.student_id).update(envelope=seal({}))
    assert transit.send_again(SYSTEM, [Binding.objects.get().id]) == 0
    assert Binding.objects.get().reason == "学籍里没有证件号码，补上后请再送。"


@pytest.mark.parametrize(
    "faults", [{"drop": 0.3, "errors": 0.3, "duplicate": 0.5, "shuffle": 0.5, "forged": 0.3}]
)
def test_under_faults_both_sides_agree_in_the_end(
    company: Company, city: City, faults: dict[str, float]
) -> None:
    transit.follow(SYSTEM)
    ids = city.students(6)
    documented(ids)
    made = city.active(ids)
    company.dial(**faults)
    for _ in range(2):
        transit.follow(SYSTEM)
        company.talk(2)
    with transaction.atomic():
        for id_ in made[:3]:
            cards.report_lost(SYSTEM, id_, "x")
    transit.follow(SYSTEM)
    company.talk(3)
    company.dial(preset="none")
    company.talk(4)
    states = list(Binding.objects.order_by("card").values_list("state", flat=True))
    assert states == ["unbound"] * 3 + ["bound"] * 3
    for each in ("transit-bindings", "transit-hot-list"):
        assert interop.reconcile(SYSTEM, company.partner, each).differing == 0


@pytest.mark.parametrize("machine", [BINDING, EXTENSION, PAPER], ids=lambda each: each.name)
def test_every_event_in_every_state(db: None, machine: Machine) -> None:
    assert_every_pair_in_a_table(machine)


#: The wrong is done as the owner of the tables, with every guard switched off.
TABLES = ["transit_validity", "history_transition"]
VIOLATIONS = {
    "transit_validity_is_of_a_card_with_a_number": (
        "UPDATE transit_validity SET heard_at = now() + interval '3 days'"
    ),
    "transit_dead_cards_are_hot": (
        "INSERT INTO transit_hotcard (card_id, reason, version, at, confirmed)"
        " SELECT id, 'lost', 1, state_at + interval '1 hour', 0 FROM cards_card"
    ),
    "transit_binding_state_equals_last_history_row": "UPDATE transit_binding SET state = 'unbound'",
    "transit_binding_steps_allowed": (
        "UPDATE history_transition SET to_state = 'x' WHERE machine = 'transit_binding'"
    ),
    "transit_extension_state_equals_last_history_row": (
        "UPDATE transit_extension SET state = 'refused', reason = 'x'"
    ),
    "transit_extension_steps_allowed": (
        "UPDATE history_transition SET to_state = 'x' WHERE machine = 'transit_extension'"
    ),
    "transit_paper_state_equals_last_history_row": "UPDATE transit_paper SET state = 'settled'",
    "transit_paper_steps_allowed": (
        "UPDATE history_transition SET to_state = 'x' WHERE machine = 'transit_paper'"
    ),
}


@pytest.mark.django_db(transaction=True)
def test_each_invariant_holds_and_finds_its_violation(company: Company, known: cards.Card) -> None:
    company.talk()
    Validity.objects.update(valid_until="2026-09-30")
    with transaction.atomic():
        assert transit.ask(OPERATOR, [known.id]).done == [known.id]
        transit.ask_range(OPERATOR, 100, "新学年")
    assert {each.name for each in transit.INVARIANTS} == set(VIOLATIONS)
    for each in transit.INVARIANTS:
        assert check(each).violated == 0, each.name
        with psycopg.connect(**address.parameters(Role.OWNER, connection.settings_dict["NAME"])) as owner:
            for table in TABLES:
                owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            assert owner.execute(VIOLATIONS[each.name]).rowcount
            row = owner.execute(each.sql).fetchone()
            owner.rollback()
        assert row and row[0] and row[1], each.name
