"""Beijing-Tong: numbers asked for and granted, its application on a card, citizens' data, numbers withdrawn.

The messages are the examples of docs/interfaces/beijing-tong.md, told by the simulator.
"""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from tests.support.commands import Run, xueka
from tests.support.machines import assert_every_pair
from tests.unit.interop.conftest import SYSTEM, City, Tong, send
from tests.unit.interop.test_cards_told import numbers
from tests.unit.interop.test_hearing import deliver
from xueka.contexts.cards import api as cards
from xueka.contexts.interop import api as interop
from xueka.contexts.interop.models import Correction, NumberRequest, TongApplication
from xueka.contexts.numbers import api as number_ranges
from xueka.contexts.registry import api as registry
from xueka.contexts.repairs import api as repairs
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Forbidden, Refused
from xueka.platform.exchange.applying import apply_due
from xueka.platform.exchange.models import Incoming
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope
from xueka.platform.invariants import check

__all__ = ["xueka"]
PAGE = Path(__file__).parents[3] / "docs/interfaces/beijing-tong.md"
OTHER = Actor.in_role("other", "另一位", "city_operator", Scope("city"))


def examples() -> dict[str, dict[str, Any]]:
    """Kind → content, as the page of the contract shows them."""
    told = re.findall(r"^### `([a-z.]+)`.*?```json\n(.*?)```", PAGE.read_text("utf-8"), re.M | re.S)
    return {kind: json.loads(content) for kind, content in told}


def tell(tong: Tong, kind: str, key: str, **change: Any) -> Incoming:
    """The example of the page with these members changed, brought to our door and applied."""
    data = {**examples()[kind], **change}
    tong.house.notices.stop()
    tong.house._tell({"key": key, "kind": kind, "data": data})
    deliver(tong)
    apply_due()
    found = Incoming.objects.order_by("id").last()
    assert found is not None and found.kind == kind
    return found


def card_of(city: City) -> cards.Card:
    [number] = numbers(city.active(city.students(1)))
    return cards.Card.objects.get(number=number)


def of(card: cards.Card) -> dict[str, str]:
    return {"card": card.number, "beijing_tong_number": card.beijing_tong_number}


def unbroken() -> None:
    assert [each.name for each in interop.INVARIANTS if check(each).violated] == []


def test_numbers_are_asked_for_and_the_granted_range_is_ours(city: City, tong: Tong) -> None:
    with transaction.atomic():
        asked = interop.ask_numbers(city.operator, 50_000, clock.today(), "秋季新生")
    send()
    [row] = tong.house.store.all("select kind, key, body from applied")
    assert (row["kind"], row["key"]) == ("numbers.asked", f"range:{asked.number}")
    sent = json.loads(row["body"])["data"]
    assert sent == {**examples()["numbers.asked"], **sent} and set(sent) == set(examples()["numbers.asked"])
    came = tell(tong, "numbers.granted", f"range:{asked.number}", request=asked.number)
    assert (came.state, came.problem) == ("applied", "")
    asked.refresh_from_db()
    told = examples()["numbers.granted"]
    assert asked.state == "granted" and asked.answer == told["document"] and asked.range is not None
    assert (asked.range.sort, asked.range.prefix, asked.range.first) == (
        "beijing_tong",
        told["prefix"],
        told["first"],
    )
    # The first range is used up first; then what was granted is given out.
    levels = {each.sort: each for each in number_ranges.levels(SYSTEM.scope)}
    assert levels["beijing_tong"].remaining >= told["last"] - told["first"] + 1
    again = tell(tong, "numbers.granted", f"range:{asked.number}", request=asked.number)
    assert again.state == "dead"  # answered already
    unbroken()


def test_a_range_that_overlaps_is_a_dead_letter_that_says_so(city: City, tong: Tong) -> None:
    asked = interop.ask_numbers(city.operator, 10, clock.today(), "补号")
    key = f"range:{asked.number}"
    clash = {"prefix": "BJT00000", "width": 8, "first": 5, "last": 9}
    came = tell(tong, "numbers.granted", key, request=asked.number, **clash)
    assert (came.state, came.code) == ("dead", "RANGE_OVERLAPS")
    asked.refresh_from_db()
    assert asked.state == "asked"
    other = interop.ask_numbers(city.operator, 10, clock.today(), "补号")
    came = tell(tong, "numbers.declined", f"range:{other.number}", request=other.number)
    other.refresh_from_db()
    assert came.state == "applied" and (other.state, other.answer) == (
        "declined",
        examples()["numbers.declined"]["reason"],
    )
    assert tell(tong, "numbers.declined", "range:QH26-9999", request="QH26-9999").code == "REQUEST_UNKNOWN"


def test_asking_is_judged(city: City, tong: Tong, settings: Any) -> None:
    day = clock.today()
    for change, code in (
        ((0, day, "x"), "REQUEST_QUANTITY"),
        ((5, day - timedelta(days=1), "x"), "REQUEST_DAY"),
        ((5, day, " "), "REASON_MISSING"),
    ):
        with pytest.raises(BadInput) as caught:
            interop.ask_numbers(city.operator, *change)
        assert caught.value.code == code
    with pytest.raises(Forbidden):
        interop.ask_numbers(city.officer, 5, day, "x")
    settings.EXCHANGE_PARTNERS = Path("/nowhere")
    with pytest.raises(Refused):
        interop.ask_numbers(city.operator, 5, day, "x")
    assert not NumberRequest.objects.exists()


def test_their_application_is_blocked_and_works_again(city: City, tong: Tong) -> None:
    card = card_of(city)
    key = f"card:{card.number}"
    assert interop.tong_application(card.id) is None
    assert tell(tong, "application.unblocked", key, **of(card)).state == "applied"  # it was never blocked
    assert tell(tong, "application.blocked", key, **of(card)).state == "applied"
    assert tell(tong, "application.blocked", key, **of(card), reason="另一个理由").state == "applied"
    found = interop.tong_application(card.id)
    assert found is not None and (found.state, found.reason) == ("blocked", "另一个理由")
    card.refresh_from_db()
    assert card.state == "active"  # their application is one of several on the card
    tell(tong, "application.unblocked", key, **of(card))
    found.refresh_from_db()
    assert found.state == "working"
    unbroken()


def test_a_withdrawn_number_leads_to_an_exchange(city: City, tong: Tong) -> None:
    card = card_of(city)
    key = f"card:{card.number}"
    assert tell(tong, "number.withdrawn", key, **of(card)).state == "applied"
    found = interop.tong_application(card.id)
    assert found is not None and found.state == "withdrawn" and found.exchange is not None
    draft = found.exchange
    assert (draft.state, draft.reason, draft.old_card_id) == ("draft", "data_change", card.id)
    assert tell(tong, "number.withdrawn", key, **of(card)).state == "applied"  # said again
    found.refresh_from_db()
    assert found.exchange_id == draft.id
    late = tell(tong, "application.blocked", key, **of(card))
    assert (late.state, late.code) == ("dead", "TONG_WITHDRAWN")
    [waiting] = numbers(city.at_school(city.students(1)))
    other = cards.Card.objects.get(number=waiting)
    assert tell(tong, "number.withdrawn", f"card:{waiting}", **of(other)).state == "applied"
    told = interop.tong_application(other.id)
    assert told is not None and told.exchange is None and "已到校" in told.note
    unbroken()


def test_a_correction_goes_by_two_people_to_an_exchange(city: City, tong: Tong) -> None:
    card = card_of(city)
    key = f"card:{card.number}"
    first = tell(tong, "citizen.corrected", key, **of(card), name="张改")
    assert (first.state, first.problem) == ("applied", "")
    [waiting] = interop.corrections(city.operator)
    assert waiting.outcome == "waiting" and waiting.repair.state == "proposed"
    assert interop.settle_corrections() == 0
    student = registry.Student.objects.get(id=card.student_id)
    assert student.name != "张改"  # nothing of the registry changes by a message alone
    tell(tong, "citizen.corrected", key, **of(card), name="张更改")  # the later one counts
    with pytest.raises(Refused):
        repairs.approve(Actor.system("x"), Correction.objects.latest("id").repair_id)
    newest = Correction.objects.latest("id")
    repairs.approve(OTHER, newest.repair_id)
    assert interop.settle_corrections() == 2 and interop.settle_corrections() == 0
    student.refresh_from_db()
    assert student.name == "张更改" and student.sex == examples()["citizen.corrected"]["sex"]
    newest.refresh_from_db()
    waiting.refresh_from_db()
    assert (waiting.outcome, newest.outcome) == ("dropped", "opened")
    draft = newest.exchange
    assert draft is not None and (draft.state, draft.reason) == ("draft", "data_change")
    unbroken()
    same = tell(tong, "citizen.corrected", key, **of(card), name="张更改")  # known already: nothing to do
    assert same.state == "applied" and Correction.objects.count() == 2
    repairs.ask_undo(OTHER, newest.repair_id, "对方弄错了人")
    repairs.undo(city.operator, newest.repair_id)
    assert interop.settle_corrections() == 1
    newest.refresh_from_db()
    draft.refresh_from_db()
    assert newest.outcome == "undone" and draft.state == "withdrawn"


def test_without_an_exchange_it_says_why(city: City, tong: Tong) -> None:
    card = card_of(city)
    tell(tong, "citizen.corrected", f"card:{card.number}", **of(card), name="张改")
    cards.create_applications(SYSTEM, [card.student_id], card.kind_id, "damaged")
    found = Correction.objects.get()
    repairs.approve(OTHER, found.repair_id)
    interop.settle_corrections()
    found.refresh_from_db()
    assert found.outcome == "no_exchange" and found.note


@pytest.mark.parametrize(
    ("change", "key", "code"),
    [
        ({"card": 7}, "", "CONTENT_WRONG"),
        ({"name": "", "sex": ""}, "", "CONTENT_WRONG"),
        ({"sex": "x"}, "", "CONTENT_WRONG"),
        ({"name": "长" * 101}, "", "CONTENT_WRONG"),
        ({"beijing_tong_number": "BJT9999999999"}, "", "NUMBER_MISMATCH"),
        ({"card": "999999999999"}, "card:999999999999", "CARD_UNKNOWN"),
        ({}, "card:999999999999", "KEY_MISMATCH"),
    ],
)
def test_what_cannot_be_right_is_a_dead_letter(
    city: City, tong: Tong, change: dict[str, Any], key: str, code: str
) -> None:
    card = card_of(city)
    came = tell(tong, "citizen.corrected", key or f"card:{card.number}", **(of(card) | change))
    assert (came.state, came.code) == ("dead", code) and came.problem
    assert not Correction.objects.exists()


def test_an_unknown_kind_is_seen_passed_over_and_the_next_is_applied(
    city: City, tong: Tong, xueka: Run
) -> None:
    card = card_of(city)
    key = f"card:{card.number}"
    tong.house._tell({"key": key, "kind": "card.painted", "data": {}})
    blocked = {
        "key": key,
        "kind": "application.blocked",
        "data": examples()["application.blocked"] | of(card),
    }
    tong.house._tell(blocked)
    tong.house.notices.stop()
    deliver(tong)
    apply_due()
    code, told = xueka("interop", "dead")
    [row] = told["letters"]
    assert (code, row["direction"], row["kind"], row["key"]) == (1, "in", "card.painted", key)
    assert (row["code"], row["problem"], row["behind"]) == ("KIND_UNKNOWN", "本系统不认识这种消息", 1)
    assert xueka("interop", "again", str(row["id"]), "--reason", "再试")[0] == 0
    apply_due()
    assert xueka("interop", "dead")[0] == 1  # still unknown
    assert xueka("interop", "pass", str(row["id"]), "--reason", "对方确认作废")[0] == 0
    apply_due()
    found = interop.tong_application(card.id)
    assert found is not None and found.state == "blocked"
    assert xueka("interop", "dead") == (0, {"letters": []})


@pytest.mark.django_db
def test_every_state_and_event_of_requests() -> None:
    at = clock.now()

    def attempt(event: str, state: str, to: str | None) -> str:
        row = NumberRequest.objects.create(
            number=f"{state}{event}", quantity=1, needed_on=at.date(), reason="x", state=state, state_at=at,
            asked_at=at, asked_by="x",
            range=number_ranges.add_range(
                SYSTEM, "beijing_tong", "x", f"BJT{state[:2]}{event[:2]}".upper(), 8, 1, 2
            ),
        )  # fmt: skip
        begin(interop.NUMBER_REQUEST, [row.id], SYSTEM)
        with transaction.atomic():
            apply(interop.NUMBER_REQUEST, NumberRequest, [row.id], event, SYSTEM, to=to)
        row.refresh_from_db()
        return row.state

    assert assert_every_pair(interop.NUMBER_REQUEST, attempt) == (2, 4)


def test_every_state_and_event_of_their_application(city: City) -> None:
    ids = iter(city.active(city.students(9)))

    def attempt(event: str, state: str, to: str | None) -> str:
        row = TongApplication.objects.create(card_id=next(ids), state=state, state_at=clock.now())
        begin(interop.TONG_APPLICATION, [row.id], SYSTEM)
        with transaction.atomic():
            apply(interop.TONG_APPLICATION, TongApplication, [row.id], event, SYSTEM, to=to)
        row.refresh_from_db()
        return row.state

    assert assert_every_pair(interop.TONG_APPLICATION, attempt) == (4, 5)


VIOLATIONS = {
    "number_request_state_equals_last_history_row": "UPDATE interop_numberrequest SET state = 'declined'",
    "number_request_steps_allowed": (
        "INSERT INTO history_transition"
        " (machine, object_id, seq, event, from_state, to_state, reason, at, actor, detail)"
        " SELECT 'number_request', id, 2, 'decline', 'granted', 'declined', '', now(), 'x', '{}'"
        "   FROM interop_numberrequest"
    ),
    "tong_application_state_equals_last_history_row": "UPDATE interop_tongapplication SET state = 'working'",
    "tong_application_steps_allowed": (
        "INSERT INTO history_transition"
        " (machine, object_id, seq, event, from_state, to_state, reason, at, actor, detail)"
        " SELECT 'tong_application', id, 3, 'block', 'withdrawn', 'blocked', '', now(), 'x', '{}'"
        "   FROM interop_tongapplication"
    ),
    "interop_corrections_follow_their_repairs": (
        "UPDATE interop_correction SET exchange_id = (SELECT id FROM cards_application LIMIT 1)"
    ),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_each_invariant_sees_its_violation(city: City, tong: Tong, name: str) -> None:
    card = card_of(city)
    interop.ask_numbers(city.operator, 5, clock.today(), "x")
    tell(tong, "application.blocked", f"card:{card.number}", **of(card))
    tell(tong, "citizen.corrected", f"card:{card.number}", **of(card), name="张改")
    [asked] = [each for each in interop.INVARIANTS if each.name == name]
    before = check(asked)
    assert before.checked and not before.violated
    with connection.cursor() as cursor:
        cursor.execute(VIOLATIONS[name])
    assert check(asked).violated
