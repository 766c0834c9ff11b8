"""The hot-list: what is on it, its versions, change lists, gaps, transactions that end late; signed."""

import base64
import threading
import time
from collections.abc import Iterator
from datetime import date, timedelta

import psycopg
import pytest
from django.db import connection, transaction

from tests.unit.cards.conftest import NOW
from tests.unit.multiapp.conftest import CONTACT, ONE, SYSTEM, Partners, make_partners
from xueka.contexts.cards import api as cards
from xueka.contexts.multiapp import api as multiapp
from xueka.contexts.multiapp.models import HotCard, HotList
from xueka.contexts.multiapp.services import hot_list
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict, Forbidden, Refused
from xueka.platform.database import address
from xueka.platform.database.address import Role
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

PARTNER = Actor("partner:x", "x", "partner", Scope("none"), permissions=frozenset(multiapp.SCOPES))


@transaction.atomic
def tick() -> int:
    return multiapp.follow()


def read(content: bytes) -> tuple[list[str], dict[str, str]]:
    """The fields of the first line, and sign and reason by card number; the signature holds."""
    body, _, last = content.rstrip(b"\n").rpartition(b"\n")
    body += b"\n"
    assert multiapp.public_key().verify(base64.b64decode(last.removeprefix(b"SIG\t")), body)
    first, *rest, end = body.decode().splitlines()
    assert end == f"END\t{len(rest)}"
    lines = [line.split("\t") for line in rest]
    return first.split("\t"), {number: f"{sign}{reason}" for sign, number, _, reason in lines}


def full(unit: multiapp.Unit) -> dict[str, str]:
    return read(b"".join(multiapp.full_list(PARTNER, unit)))[1]


def changes(unit: multiapp.Unit, since: int) -> dict[str, str]:
    return read(b"".join(multiapp.change_list(PARTNER, unit, since)))[1]


def number(card_id: int) -> str:
    return cards.Card.objects.get(id=card_id).number


@pytest.fixture
def granted(partners: Partners) -> Partners:
    partners.granted(partners.vendor.code)
    partners.granted(partners.unit.code, "practice")
    tick()
    return partners


def test_a_lost_card_is_in_the_next_change_list_and_a_lifted_one_leaves(granted: Partners) -> None:
    [card] = granted.city.active(granted.city.students(1))
    tick()
    before = multiapp.head().version
    cards.report_lost(SYSTEM, card)
    assert tick() == 1
    assert changes(granted.vendor, before) == {number(card): "+lost"}
    assert full(granted.vendor) == {number(card): "+lost"}
    lost = multiapp.head().version
    assert lost == before + 1
    assert tick() == 0
    assert multiapp.head().version == lost
    cards.lift(SYSTEM, card)
    tick()
    assert changes(granted.vendor, lost) == {number(card): "-"}
    assert changes(granted.vendor, before) == {number(card): "-"}
    assert full(granted.vendor) == {}


def test_only_cards_that_exist_are_on_it(granted: Partners) -> None:
    city = granted.city
    [planned] = city.planned(city.students(1))
    [made] = city.at_school(city.students(1))
    [gone] = city.active(city.students(1))
    cards.void_cards(SYSTEM, [planned.id], "不做了", remake=False)
    cards.void_cards(SYSTEM, [made], "盒子丢失", remake=False)
    cards.cancel(SYSTEM, gone, "离京")
    tick()
    assert full(granted.unit) == {number(made): "+void", number(gone): "+cancelled"}


def test_a_partner_sees_its_own_part(granted: Partners) -> None:
    city = granted.city
    here, there = city.active(city.students(1, 0)) + city.active(city.students(1, 2))
    for each in (here, there):
        cards.report_lost(SYSTEM, each)
    tick()
    assert set(full(granted.vendor)) == {number(here)}
    assert set(full(granted.unit)) == {number(here), number(there)}


def test_a_student_with_a_lost_card_comes_to_another_school(granted: Partners) -> None:
    city = granted.city
    [card] = city.active(city.students(1, 1))
    cards.report_lost(SYSTEM, card)
    tick()
    version = multiapp.head().version
    assert full(granted.vendor) == {}
    student = registry.Student.objects.filter(id=cards.Card.objects.get(id=card).student_id)
    student.update(school=city.schools[0], school_class=city.schools[0].classes.first())
    with transaction.atomic():
        assert multiapp.compare() == 1
    assert changes(granted.vendor, version) == {number(card): "+lost"}


def test_gaps_lead_to_the_full_list(granted: Partners) -> None:
    [card] = granted.city.active(granted.city.students(1))
    cards.report_lost(SYSTEM, card)
    tick()
    cards.lift(SYSTEM, card)
    tick()
    with pytest.raises(Conflict) as newer:
        changes(granted.vendor, 99)
    assert newer.value.code == "HOT_LIST_GAP"
    with pytest.raises(BadInput):
        changes(granted.vendor, -1)
    HotList.objects.update(compared_at=NOW)
    with clock.at(NOW + timedelta(days=hot_list.KEPT_DAYS + 1)), transaction.atomic():
        multiapp.compare()
    assert not HotCard.objects.exists()
    assert multiapp.head().floor == 2
    with pytest.raises(Conflict):
        changes(granted.vendor, 1)
    assert changes(granted.vendor, 2) == {}


def test_without_a_grant_in_force_there_is_no_list(granted: Partners) -> None:
    grant = multiapp.grants(SYSTEM.scope).get(unit=granted.vendor)
    multiapp.suspend_grant(SYSTEM, grant.number, "停用")
    with pytest.raises(Refused) as refusal:
        full(granted.vendor)
    assert refusal.value.code == "NO_GRANT"
    with pytest.raises(Forbidden):
        multiapp.full_list(Actor.nobody(""), granted.unit)


def settle() -> HotList:
    """Tick until the place has come to the end. Other test processes on this server hold it up a little."""
    for _ in range(1200):
        with connection.cursor() as cursor:
            cursor.execute("SELECT last_value FROM history_transition_id_seq")
            (last,) = cursor.fetchone()
        head = HotList.objects.filter(compared_at__isnull=False, read_up_to=last, pending_xid=0).first()
        if head is not None:
            return head
        tick()
        time.sleep(0.05)
    raise AssertionError("the place does not move")


@pytest.fixture
def late(transactional_db: None) -> Iterator[Partners]:
    with clock.at(NOW):
        made = make_partners()
        made.granted(made.vendor.code)
        settle()
        yield made


def test_nothing_is_missed_when_an_older_step_is_committed_later(late: Partners) -> None:
    """Two lose their cards; the one whose step has the smaller id is committed after the other was read."""
    early, after = late.city.active(late.city.students(2))
    tick()
    with other_connection() as slow:
        slow.execute("UPDATE cards_card SET state = 'lost' WHERE id = %s", [early])
        slow.execute(
            "INSERT INTO history_transition"
            " (machine, object_id, seq, event, from_state, to_state, at, actor, reason, detail)"
            " SELECT 'card', %s, max(seq) + 1, 'report_lost', 'active', 'lost', now(), 'x', '',"
            " '{}' FROM history_transition WHERE machine = 'card' AND object_id = %s",
            [early, early],
        )
        with transaction.atomic():
            cards.report_lost(SYSTEM, after)
        for _ in range(3):
            tick()
        assert full(late.vendor) == {number(after): "+lost"}  # at once, whoever else is slow
        version = multiapp.head().version
        slow.commit()
    assert tick() == 1
    assert changes(late.vendor, version) == {number(early): "+lost"}
    settle()


def other_connection() -> psycopg.Connection:
    return psycopg.connect(**address.parameters(Role.APPLICATION, connection.settings_dict["NAME"]))


LOSE = """
    INSERT INTO history_transition
           (id, machine, object_id, seq, event, from_state, to_state, at, actor, reason, detail)
    SELECT nextval('history_transition_id_seq'), 'card', %s, 1000, 'report_lost', 'active', 'lost', now(),
           'x', '', (SELECT pg_advisory_xact_lock(4711)::text || '{}')::jsonb"""
WAITS = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted"


def test_a_loss_is_told_at_once_behind_any_number_of_steps_of_a_slow_transaction(late: Partners) -> None:
    [card] = late.city.active(late.city.students(1))
    settle()
    with other_connection() as slow:
        slow.execute(
            "INSERT INTO history_transition"
            " (machine, object_id, seq, event, from_state, to_state, at, actor, reason, detail)"
            " SELECT 'card', 900000000 + n, 1, 'x', 'ordered', 'produced', now(), 'x', '', '{}'"
            " FROM generate_series(1, 200001) AS n"
        )
        with transaction.atomic():
            cards.report_lost(SYSTEM, card)
        assert tick() == 1
        assert full(late.vendor) == {number(card): "+lost"}
        slow.rollback()
    settle()


def test_an_id_that_was_taken_before_anything_was_written_is_waited_for(late: Partners) -> None:
    """Its transaction takes the id of the step, then waits while others end. The list has not passed it."""
    early, after = late.city.active(late.city.students(2))
    settle()
    with other_connection() as gate, other_connection() as slow:
        gate.execute("SELECT pg_advisory_lock(4711)")
        # An id that is written ahead to the log gives its transaction a number by itself: none of the next.
        slow.execute("SELECT nextval('history_transition_id_seq') FROM generate_series(1, 40)")
        while slow.execute("SELECT log_cnt FROM history_transition_id_seq").fetchone()[0] < 10:
            slow.execute("SELECT nextval('history_transition_id_seq')")
        slow.commit()
        writing = threading.Thread(target=slow.execute, args=(LOSE, [early]))
        writing.start()
        while not gate.execute(WAITS).fetchone():
            pass
        with transaction.atomic():
            cards.report_lost(SYSTEM, after)
        for _ in range(3):
            tick()
        assert full(late.vendor) == {number(after): "+lost"}
        gate.execute("SELECT pg_advisory_unlock(4711)")
        writing.join()
        slow.execute("UPDATE cards_card SET state = 'lost' WHERE id = %s", [early])
        slow.commit()
    assert tick() == 1
    assert full(late.vendor) == {number(after): "+lost", number(early): "+lost"}


def test_a_list_that_was_restored_into_another_server_goes_on(late: Partners) -> None:
    """There the transactions are numbered anew; what was waited for here is over."""
    [card] = late.city.active(late.city.students(1))
    settle()
    HotList.objects.update(pending_xid=2**40, pending_up_to=2**40)
    with transaction.atomic():
        cards.report_lost(SYSTEM, card)
    settle()
    assert full(late.vendor) == {number(card): "+lost"}


def test_who_begins_to_see_cards_is_told_of_them_in_the_next_change_list(partners: Partners) -> None:
    schools = [school.code for school in partners.city.schools[:2]]
    with transaction.atomic():
        unit = multiapp.add_unit(
            ONE, name="两校合用一卡通", kind="vendor", purpose="食堂消费", contacts=[CONTACT],
            schools=schools, contract="HT-2026-2", contract_from=date(2026, 1, 1),
            contract_until=date(2029, 12, 31),
        )  # fmt: skip
    partners.granted(unit.code, schools=schools[1:])
    [card] = partners.city.active(partners.city.students(1))
    cards.report_lost(SYSTEM, card)
    tick()
    since = multiapp.head().version
    assert changes(unit, 0) == {}
    partners.granted(unit.code, schools=schools[:1])
    assert changes(unit, since) == {number(card): "+lost"}
    assert full(unit) == {number(card): "+lost"}
