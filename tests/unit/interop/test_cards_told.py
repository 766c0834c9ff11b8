"""Card status out: each step that matters once, in the card's order, also of transactions that end late."""

import threading
import time
from datetime import timedelta

import psycopg
import pytest
from django.db import connection, transaction

from tests.unit.interop.conftest import CODE, SYSTEM, City, Tong, send
from xueka.contexts.cards import api as cards
from xueka.contexts.interop import api as interop
from xueka.contexts.interop.models import Follower
from xueka.contexts.interop.services import following
from xueka.kernel import clock
from xueka.platform.database import address
from xueka.platform.database.address import Role
from xueka.platform.exchange import queries, tracing
from xueka.platform.exchange.models import Outgoing
from xueka.platform.history.following import Horizon, Place, moved
from xueka.platform.invariants import check


def numbers(ids: list[int]) -> list[str]:
    """Give them Beijing-Tong numbers, as planning does where the kind asks for them."""
    for each in cards.Card.objects.filter(id__in=ids):
        each.beijing_tong_number = f"BJT{each.id:010d}"
        each.save(update_fields=["beijing_tong_number"])
    return list(cards.Card.objects.filter(id__in=ids).order_by("id").values_list("number", flat=True))


def test_the_life_of_a_card_is_told_step_by_step(city: City, tong: Tong) -> None:
    assert interop.follow_all() == 0
    ids = city.at_school(city.students(2))
    first, second = numbers(ids)
    assert interop.follow_all() == 2  # bound, once: packing and sending is nobody's affair outside
    cards.hand_out(SYSTEM, ids)
    cards.report_lost(SYSTEM, ids[0])
    assert interop.follow_all() == 3 and interop.follow_all() == 0
    send()
    assert [seq for key, seq in tong.applied() if key == f"card:{first}"] == [1, 2, 3]
    tong_number = cards.Card.objects.get(id=ids[0]).beijing_tong_number
    assert tong.records() == {
        first: f"{first}|{tong_number}|lost",
        second: f"{second}|BJT{ids[1]:010d}|active",
    }
    cards.lift(SYSTEM, ids[0])
    cards.cancel(SYSTEM, ids[1], "离京")
    interop.follow_all()
    send()
    assert {key: text.rsplit("|", 1)[1] for key, text in tong.records().items()} == {
        first: "active",
        second: "cancelled",
    }
    assert [each.name for each in interop.INVARIANTS if check(each).violated] == []
    steps = tracing.trace([f"card:{first}"])
    assert [queries.content(Outgoing.objects.get(id=each.id))["state"] for each in steps] == [
        "bound",
        "active",
        "lost",
        "active",
    ]


def test_in_pieces_and_read_again(city: City, tong: Tong, monkeypatch: pytest.MonkeyPatch) -> None:
    interop.follow_all()
    monkeypatch.setattr(following, "AT_ONCE", 2)
    numbers(city.active(city.students(7)))
    posted = [interop.follow_all() for _ in range(5)]
    assert sum(posted) == 14 and posted[:2] == [6, 6]
    Follower.objects.update(read_up_to=0, pending_xid=0, pending_up_to=0)
    assert sum(interop.follow_all() for _ in range(3)) == 0
    send()
    assert len(tong.applied()) == 14


def test_where_the_place_stands() -> None:
    """Nothing older than the place is still to come."""
    place = moved(Place(0), Horizon(last=10, oldest=5, newest=8))
    assert place == Place(0, 10, 8)  # numbers 5 to 7 may bring older rows
    assert moved(place, Horizon(12, 7, 9)) == place
    assert moved(place, Horizon(12, 8, 9)) == Place(10, 12, 9)
    assert moved(place, Horizon(12, 8, 9), done_to=4) == Place(4, 10, 8)
    assert moved(place, Horizon(12, 3, 4)) == Place(0, 12, 4)  # another server


_STEP = """
    INSERT INTO history_transition
           (machine, object_id, seq, event, from_state, to_state, at, actor, reason, detail)
    SELECT machine, object_id, seq + 1, 'report_lost', 'active', 'lost', at, 'x', '', '{}'
      FROM history_transition WHERE machine = 'card' AND object_id = %s ORDER BY seq DESC LIMIT 1"""


@pytest.mark.django_db(transaction=True)
def test_a_step_that_is_committed_late_is_told(city: City, tong: Tong) -> None:
    """Its id is older than one that was read before it could be seen."""
    ids = city.active(city.students(2))
    numbers(ids)
    interop.follow_all()
    name = connection.settings_dict["NAME"]
    began, go = threading.Event(), threading.Event()

    def slow() -> None:
        with psycopg.connect(**address.parameters(Role.APPLICATION, name)) as other:
            other.execute("UPDATE cards_card SET state = 'lost' WHERE id = %s", [ids[0]])
            other.execute(_STEP, [ids[0]])
            began.set()
            go.wait(20)

    thread = threading.Thread(target=slow)
    thread.start()
    assert began.wait(20)
    with transaction.atomic():
        cards.report_lost(SYSTEM, ids[1])
    assert interop.follow_all() == 1 and interop.follow_all() == 0
    go.set()
    thread.join()
    for _ in range(3):
        interop.follow_all()
        time.sleep(0.01)
    told = Outgoing.objects.filter(stream__key=f"card:{cards.Card.objects.get(id=ids[0]).number}")
    assert [queries.content(each)["state"] for each in told] == ["lost"]
    assert Follower.objects.get().read_up_to > 0


def test_heavy_faults_and_the_dial_back_to_none(city: City, tong: Tong) -> None:
    """Everything arrives, in order, applied once; what the other side lost comes again without a person."""
    interop.follow_all()
    tong.dial(preset="heavy", delay=0, limited=0)
    ids = city.active(city.students(12))
    numbers(ids)
    interop.follow_all()
    with clock.at(clock.now()) as now:
        for _ in range(30):
            send(3)
            now.advance(timedelta(minutes=15))
        tong.dial(preset="none")
        for each in ids:
            cards.report_lost(SYSTEM, each)
        interop.follow_all()
        for _ in range(5):
            send()
            now.advance(timedelta(minutes=15))
    [health] = queries.health([CODE])
    assert (health.queued, health.dead) == (0, 0)
    by_key: dict[str, list[int]] = {}
    for key, seq in tong.applied():
        by_key.setdefault(key, []).append(seq)
    assert {tuple(sorted(each)) for each in by_key.values()} == {(1, 2, 3)} and len(by_key) == 12
    assert {text.rsplit("|", 1)[1] for text in tong.records().values()} == {"lost"}
    assert tong.house.dial.recorded()
