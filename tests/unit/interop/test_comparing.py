"""Both sides compared: narrowing down, differences from day to day, ways out, measures, our answers."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.support.commands import Run, xueka
from tests.support.machines import assert_every_pair
from tests.unit.interop.conftest import CODE, SYSTEM, City, Tong, send
from tests.unit.interop.test_cards_told import numbers
from xueka.contexts.cards import api as cards
from xueka.contexts.interop import api as interop
from xueka.contexts.interop import jobs
from xueka.contexts.interop.adapters import records
from xueka.contexts.interop.domain import buckets
from xueka.contexts.interop.domain.buckets import Side, compare
from xueka.contexts.interop.models import Comparison, Difference
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.platform.exchange import under_way
from xueka.platform.exchange.signatures import Keys, secret, sign
from xueka.platform.exchange.standing import GOOD, SLOW
from xueka.platform.exchange.wire import Caller, Said
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE
from xueka.platform.invariants import check

__all__ = ["xueka"]
DATASET = interop.CARD_STATUS
ONE = {"prefix": "00", "count": 1, "digest": ""}


def side(held: dict[str, str]) -> Side:
    """The plain reading of §7."""

    def count(prefixes: Sequence[str], width: int) -> dict[str, tuple[int, str]]:
        found: dict[str, list[tuple[str, str]]] = {}
        for key, text in held.items():
            if buckets.bucket(key).startswith(tuple(prefixes)):
                found.setdefault(buckets.bucket(key)[:width], []).append((key, text))
        return {prefix: (len(rows), buckets.digest(rows)) for prefix, rows in found.items()}

    def give(prefixes: Sequence[str]) -> dict[str, str]:
        return {key: text for key, text in held.items() if buckets.bucket(key).startswith(tuple(prefixes))}

    return Side(count, give)


@pytest.mark.parametrize("seed", range(12))
def test_what_differs_is_found_and_nothing_else(seed: int) -> None:
    chance = random.Random(seed)
    ours = {f"{number:012d}": f"{number}|active" for number in range(chance.choice((0, 3, 900, 4000)))}
    theirs = dict(ours)
    for key in chance.sample(sorted(ours), min(len(ours), chance.randrange(30))):
        match chance.randrange(3):
            case 0:
                theirs.pop(key)
            case 1:
                theirs[key] += "!"
            case 2:
                theirs[f"9{key}"] = "x"
    found = compare(side(ours), side(theirs))
    wanted = {key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)}
    assert set(found.differing) == wanted and found.whole
    assert (found.ours, found.theirs) == (len(ours), len(theirs))
    assert found.both == len(ours.keys() & theirs.keys())
    assert found.agreeing == sum(theirs.get(key) == text for key, text in ours.items())
    assert found.round_trips <= 4


def test_our_side_counts_as_the_page_says(city: City, tong: Tong) -> None:
    ids = city.active(city.students(9))
    numbers(ids)
    held = records.side(DATASET).records([""])
    assert len(held) == 9
    plain = side(held)
    for prefixes, width in (([""], 2), (["0", "a", "f"], 3), (["00", "1"], 4)):
        assert records.side(DATASET).buckets(prefixes, width) == plain.buckets(prefixes, width)
    with pytest.raises(NotFound):
        records.side("nothing")


def test_what_the_follower_has_not_read_is_on_its_way(city: City, tong: Tong) -> None:
    ids = city.active(city.students(2))
    second = numbers(ids)[1]
    interop.follow_all()
    interop.send_again(SYSTEM, [each.id for each in _found(tong)])
    send()
    assert not _found(tong)
    cards.report_lost(SYSTEM, ids[0])
    tong.house.book.put(DATASET, second, f"{second}|OTHER|active")
    done = interop.reconcile(SYSTEM, tong.partner, DATASET)
    assert (done.on_the_way, done.differing) == (1, 1)
    assert [each.key for each in interop.differences(SYSTEM, CODE)] == [second]
    interop.follow_all()
    assert interop.reconcile(SYSTEM, tong.partner, DATASET).on_the_way == 1, "now its message waits"
    send()
    assert [each.key for each in _found(tong)] == [second]


def _found(tong: Tong) -> list[Difference]:
    interop.reconcile(SYSTEM, tong.partner, DATASET)
    return list(interop.differences(SYSTEM, CODE))


def test_found_sent_again_and_agreed(city: City, tong: Tong) -> None:
    first, second, third = numbers(city.active(city.students(3)))
    interop.follow_all()  # begins here: what was before is not told
    tong.house.book.put(DATASET, "099900000001", "099900000001|BJT9|active")
    tong.house.book.put(DATASET, second, f"{second}|OTHER|active")
    done = interop.reconcile(SYSTEM, tong.partner, DATASET)
    assert (done.problem, done.ours, done.theirs, done.differing, done.whole) == ("", 3, 2, 4, True)
    rows = {each.key: each for each in interop.differences(SYSTEM, CODE)}
    kinds = {key: each.kind for key, each in rows.items()}
    assert kinds == {
        first: "missing_there",
        second: "differs",
        third: "missing_there",
        "099900000001": "missing_here",
    }
    _, mine, other = interop.difference(SYSTEM, rows[second].id)
    assert mine != other == f"{second}|OTHER|active"
    with pytest.raises(Refused) as refusal, transaction.atomic():
        interop.send_again(SYSTEM, [each.id for each in rows.values()])
    assert refusal.value.code == "NOTHING_OF_OURS"
    with pytest.raises(Refused):
        interop.take_theirs(SYSTEM, [rows[second].id])
    interop.assign(SYSTEM, [rows[first].id], "operator")
    interop.send_again(SYSTEM, [rows[key].id for key in (first, second, third)])
    on_the_way = interop.reconcile(SYSTEM, tong.partner, DATASET)
    assert (on_the_way.on_the_way, on_the_way.differing) == (3, 1)
    send()
    interop.reconcile(SYSTEM, tong.partner, DATASET)
    [left] = interop.differences(SYSTEM, CODE)
    assert (left.key, left.times) == ("099900000001", 3)
    with pytest.raises(BadInput):
        interop.leave(SYSTEM, [left.id], " ")
    interop.leave(SYSTEM, [left.id], "对方的试验卡")
    interop.reconcile(SYSTEM, tong.partner, DATASET)
    assert Difference.objects.get(id=left.id).state == "left"
    tong.house.book.put(DATASET, "099900000001", "")
    agreed = interop.reconcile(SYSTEM, tong.partner, DATASET)
    assert (agreed.ours, agreed.theirs, agreed.agreeing, agreed.differing) == (3, 3, 3, 0)
    assert not interop.differences(SYSTEM, CODE).exists()
    assert [each.name for each in interop.INVARIANTS if check(each).violated] == []
    told = interop.status(SYSTEM)[0]
    assert (told["code"], told["delivered"], told["differences"]) == (CODE, 3, 0)
    interop.measure_all()
    assert interop.latest_quality(CODE) == {"complete": 1.0, "valid": 1.0, "accurate": 1.0, "timely": 1.0}


def test_theirs_taken_where_somebody_is_registered(city: City, tong: Tong, settings: Any) -> None:
    [number] = numbers(city.active(city.students(1)))
    interop.follow_all()  # begins here
    tong.house.book.put(DATASET, number, f"{number}|NEW|active")
    interop.reconcile(SYSTEM, tong.partner, DATASET)
    settings.INTEROP_TAKERS = {DATASET: f"{__name__}.take"}
    [row] = interop.differences(SYSTEM, CODE)
    interop.take_theirs(SYSTEM, [row.id])
    send()
    interop.reconcile(SYSTEM, tong.partner, DATASET)
    assert Difference.objects.get(id=row.id).state == "gone"


def take(actor: Actor, key: str, text: str, seen_at: datetime) -> None:
    cards.Card.objects.filter(number=key).update(beijing_tong_number=text.split("|")[1])


def test_a_counterpart_that_answers_nonsense_leaves_no_difference(city: City, tong: Tong) -> None:
    numbers(city.active(city.students(2)))
    interop.follow_all()
    tong.dial(drift=1)
    tong.house.book.put(DATASET, "1", "1|x|active")
    done = interop.reconcile(SYSTEM, tong.partner, DATASET)
    assert "不合约定" in done.problem and done.differing == 0
    assert not Difference.objects.exists()
    tong.dial(drift=0, errors=1)
    assert "没有回答" in interop.reconcile(SYSTEM, tong.partner, DATASET).problem
    interop.measure_all()
    assert interop.latest_quality(CODE)["complete"] is None


@pytest.mark.parametrize(
    "lie",
    [
        {"buckets": [{"prefix": "00", "count": -5, "digest": ""}]},
        {"buckets": [{"prefix": "00", "count": 10**30, "digest": ""}]},
        {"buckets": [{"prefix": "00", "count": True, "digest": ""}]},
        {"buckets": [{"prefix": "\x00\x00", "count": 1, "digest": ""}]},
        {"buckets": [{"prefix": "00", "count": 1, "digest": ""}], "records": [{"key": "\x00", "text": "x"}]},
        {
            "buckets": [{"prefix": "00", "count": 1, "digest": ""}],
            "records": [{"key": "1", "text": "\ud800"}],
        },
    ],
)
def test_a_counterpart_that_lies_leaves_a_problem_and_no_difference(
    city: City, tong: Tong, monkeypatch: pytest.MonkeyPatch, lie: dict[str, Any]
) -> None:
    monkeypatch.setattr(Caller, "ask", lambda *_: (Said(200), {"records": [], **lie}))
    done = interop.reconcile(SYSTEM, tong.partner, DATASET)
    assert "不合约定" in done.problem and not Difference.objects.exists()


def test_one_that_breaks_the_comparison_keeps_no_other_from_it(
    city: City, tong: Tong, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "aaa").mkdir()
    (tmp_path / "aaa" / "partner.json").write_bytes((tmp_path / CODE / "partner.json").read_bytes())
    whole = Caller.ask

    def ask(caller: Caller, *told: Any) -> Any:
        return whole(caller, *told) if caller.partner.code == CODE else 1 / 0

    monkeypatch.setattr(Caller, "ask", ask)
    with clock.at(clock.now().replace(hour=0)):  # 8 in Beijing
        interop.compare_daily()
    assert [each.counterpart for each in Comparison.objects.all()] == [CODE]


def test_no_step_of_a_card_comes_between_reading_it_and_telling_of_it(city: City, tong: Tong) -> None:
    numbers(city.active(city.students(1)))
    interop.reconcile(SYSTEM, tong.partner, DATASET)
    before = interop.standing_of(SYSTEM, CODE)
    assert (before.differences, before.settling, before.health[0]) == (1, 0, SLOW)
    with transaction.atomic(), CaptureQueriesContext(connection) as asked:
        interop.send_again(SYSTEM, [interop.differences(SYSTEM).get().id])
    after = interop.standing_of(SYSTEM, CODE)
    assert (after.differences, after.settling, after.health[0]) == (0, 1, GOOD), "nobody has to do anything"
    [read] = [each["sql"] for each in asked if 'FROM "cards_card"' in each["sql"]]
    assert "FOR NO KEY UPDATE" in read


def test_measures_count_what_is_late_and_refused(city: City, tong: Tong) -> None:
    interop.follow_all()
    numbers(city.at_school(city.students(4)))
    interop.follow_all()
    tong.dial(refuse=1)
    send()
    with clock.at(clock.now() + timedelta(minutes=6)):
        interop.measure_all()
        found = interop.latest_quality(CODE)
    assert (found["valid"], found["timely"]) == (0.0, 0.0)


def test_the_sweep_compares_once_a_day(city: City, tong: Tong, settings: Any) -> None:
    numbers(city.active(city.students(1)))
    with clock.at(clock.now().replace(hour=0)) as now:  # 8 in Beijing
        interop.compare_daily()
        interop.compare_daily()
        assert Comparison.objects.count() == 1
        now.advance(timedelta(hours=24))
        tong.dial(errors=1)
        tong.house.clock.set(now.now().isoformat())
        interop.compare_daily()
        interop.compare_daily()
        assert Comparison.objects.count() == 2
        now.advance(timedelta(minutes=31))
        interop.compare_daily()
        assert Comparison.objects.count() == 3


def test_what_is_ours_to_say_is_told_once_more_by_itself(city: City, tong: Tong, settings: Any) -> None:
    """What they forgot comes again without a person; what differs a second time, or is much, does not."""
    interop.follow_all()
    made = numbers(city.active(city.students(3)))
    interop.follow_all()
    send()
    with clock.at(clock.now().replace(hour=0)) as now:  # 8 in Beijing
        tong.house.clock.set(now.now().isoformat())
        for number in made[:2]:
            tong.house.book.put(DATASET, number, "")
        interop.compare_daily()
        send()
        assert {each.state for each in Difference.objects.all()} == {"sent"} and len(tong.records()) == 3
        now.advance(timedelta(hours=24))
        tong.house.clock.set(now.now().isoformat())
        tong.house.book.put(DATASET, made[0], "")
        interop.compare_daily()
        states = {each.key: each.state for each in Difference.objects.all()}
        assert states == {made[0]: "open", made[1]: "gone"}
        settings.INTEROP_TELL_AGAIN = 1
        for number in made[1:]:
            tong.house.book.put(DATASET, number, "")
        now.advance(timedelta(hours=24))
        tong.house.clock.set(now.now().isoformat())
        interop.compare_daily()
        assert set(Difference.objects.exclude(state="gone").values_list("state", flat=True)) == {"open"}


def test_a_counterpart_that_came_later_is_told_of_all_that_was_there(
    city: City, tong: Tong, settings: Any
) -> None:
    """However much it is, and without a person; ten minutes later both sides are seen to agree."""
    settings.INTEROP_TELL_AGAIN = 0
    made = numbers(city.active(city.students(3)))
    interop.follow_all()  # begins at the present
    with clock.at(clock.now().replace(hour=0)) as now:  # 8 in Beijing
        tong.house.clock.set(now.now().isoformat())
        interop.compare_daily()
        assert {each.state for each in Difference.objects.all()} == {"sent"}
        send()
        assert sorted(tong.records()) == sorted(made)
        interop.compare_daily()
        assert Comparison.objects.count() == 1
        now.advance(timedelta(minutes=11))
        tong.house.clock.set(now.now().isoformat())
        interop.compare_daily()
        assert {each.state for each in Difference.objects.all()} == {"gone"}
        tong.house.book.put(DATASET, made[0], "")  # what they had been told and lost waits for a person
        now.advance(timedelta(hours=24))
        tong.house.clock.set(now.now().isoformat())
        interop.compare_daily()
        interop.compare_daily()
        assert list(Difference.objects.filter(state="open").values_list("key", flat=True)) == [made[0]]


def test_what_a_killed_comparison_found_is_told_by_the_next(
    city: City, tong: Tong, monkeypatch: pytest.MonkeyPatch
) -> None:
    interop.follow_all()
    [number] = numbers(city.active(city.students(1)))
    interop.follow_all()
    send()
    tong.house.book.put(DATASET, number, "")
    with clock.at(clock.now().replace(hour=0)) as now:  # 8 in Beijing
        tong.house.clock.set(now.now().isoformat())
        with monkeypatch.context() as dying:
            dying.setattr(jobs, "tell_again", lambda *_: (_ for _ in ()).throw(MemoryError))
            interop.compare_daily()
        assert Difference.objects.get().state == "open"
        now.advance(timedelta(hours=24))
        tong.house.clock.set(now.now().isoformat())
        interop.compare_daily()
        assert Difference.objects.get().state == "sent"


def test_a_letter_that_waits_for_a_person_makes_nobody_compare_again(city: City, tong: Tong) -> None:
    interop.follow_all()
    [number] = numbers(city.active(city.students(1)))
    interop.follow_all()
    send()
    tong.house.book.put(DATASET, number, "")
    with clock.at(clock.now().replace(hour=0)) as now:  # 8 in Beijing
        tong.house.clock.set(now.now().isoformat())
        interop.compare_daily()
        tong.dial(refuse=1)
        send()
        assert under_way.held_keys(CODE) == {f"card:{number}"}
        for _ in range(3):
            now.advance(timedelta(minutes=11))
            tong.house.clock.set(now.now().isoformat())
            interop.compare_daily()
        assert Comparison.objects.count() == 1 and Difference.objects.get().state == "sent"


def test_every_dataset_has_a_name() -> None:
    students = {"students"}  # with the student registry, by school
    assert interop.DATASET_NAMES.keys() == interop.DATASETS.keys() | students


def test_who_may(city: City, tong: Tong) -> None:
    teacher = Actor.in_role("t", "老师", "school_officer", EVERYWHERE)
    for ask in (
        lambda: interop.status(teacher),
        lambda: interop.differences(teacher),
        lambda: interop.reconcile(teacher, tong.partner, DATASET),
        lambda: interop.send_again(teacher, [1]),
    ):
        with pytest.raises(Forbidden):
            ask()
    with pytest.raises(NotFound):
        interop.send_again(SYSTEM, [1])


def test_our_answer_to_a_counterpart(city: City, tong: Tong, monkeypatch: pytest.MonkeyPatch) -> None:
    [number] = numbers(city.active(city.students(1)))

    def ask(body: bytes, dataset: str = DATASET) -> Any:
        stamp = int(clock.now().timestamp())
        keys = Keys((secret(tong.house.keys.kept("to-xueka")),))
        headers = {"webhook-id": "rec_1", "webhook-timestamp": str(stamp)}
        headers["webhook-signature"] = sign("rec_1", stamp, body, keys)
        address = f"/api/interop/v1/{CODE}/reconcile/{dataset}"
        return Client().post(address, body, content_type="application/json", headers=headers)

    [bucket] = ask(b'{"prefixes": [""], "width": 2}').json()["buckets"]
    assert bucket["prefix"] == buckets.bucket(number)[:2] and bucket["count"] == 1
    [told] = ask(b'{"prefixes": ["%s"], "records": true}' % bucket["prefix"].encode()).json()["records"]
    assert told["key"] == number and buckets.digest([(number, told["text"])]) == bucket["digest"]
    for wrong in (
        b"",
        b"[]",
        b'{"prefixes": ["x"], "width": 2}',
        b'{"prefixes": ["ab"], "width": 2}',
        b'{"prefixes": [""], "width": true}',
    ):
        assert ask(wrong).json()["code"] == "QUESTION_WRONG"
    assert ask(b"{}", "other").json()["code"] == "DATASET_UNKNOWN"
    assert ask(b"[" * 60_000).json()["code"] == "QUESTION_WRONG"
    numbers(city.active(city.students(1)))
    monkeypatch.setattr(records, "MOST", 1)
    for large in (b'{"prefixes": [""], "records": true}', b'{"prefixes": [""], "width": 8}'):
        assert ask(large).json()["code"] == "QUESTION_WRONG"


@pytest.mark.django_db
def test_every_state_and_event() -> None:
    at = clock.now()

    def attempt(event: str, state: str, to: str | None) -> str:
        row = Difference.objects.create(
            counterpart=CODE, dataset=DATASET, key=f"{state}{event}{to}", kind="differs", state=state,
            state_at=at, envelope=b"", found_at=at, seen_at=at,
        )  # fmt: skip
        begin(interop.DIFFERENCE, [row.id], SYSTEM)
        with transaction.atomic():
            apply(interop.DIFFERENCE, Difference, [row.id], event, SYSTEM, to=to)
        row.refresh_from_db()
        return row.state

    assert assert_every_pair(interop.DIFFERENCE, attempt) == (10, 15)


VIOLATIONS = {
    "disagreement_state_equals_last_history_row": "UPDATE interop_difference SET state = 'left'",
    "interop_follower_is_not_ahead": "UPDATE interop_follower SET read_up_to = 10000000000",
    "interop_card_messages_say_what_the_history_says": (
        "UPDATE exchange_stream SET key = 'card:0' WHERE id = (SELECT min(id) FROM exchange_stream)"
    ),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_each_invariant_is_seen_to_be_violated(name: str, city: City, tong: Tong) -> None:
    numbers(city.active(city.students(1)))
    interop.follow_all()
    interop.reconcile(SYSTEM, tong.partner, DATASET)
    interop.send_again(SYSTEM, [interop.differences(SYSTEM).get().id])
    wanted = next(each for each in interop.INVARIANTS if each.name == name)
    assert check(wanted).violated == 0 < check(wanted).checked
    with connection.cursor() as cursor:
        cursor.execute(VIOLATIONS[name])
    assert check(wanted).violated


def test_the_commands(city: City, tong: Tong, xueka: Run) -> None:
    [number] = numbers(city.active(city.students(1)))
    interop.follow_all()  # begins here
    code, told = xueka("interop", "reconcile", CODE, "--send")
    assert (code, told["sent"], told["comparisons"][0]["differing"]) == (1, 1, 1)
    send()
    code, told = xueka("interop", "reconcile", CODE)
    assert (code, told["comparisons"][0]["agreeing"]) == (0, 1)
    code, told = xueka("interop", "status")
    assert code == 0 and {"queued", "delivered", "failed", "dead", "oldest_seconds", "quality"} <= set(
        told[CODE]
    )
    code, told = xueka("interop", "trace", number)
    assert (code, told["messages"][0]["state"], told["messages"][0]["tries"]) == (0, "delivered", 1)
    words = ("interop", "replay", CODE, "--reason", "试", "--card", number)
    assert xueka(*words) == (0, {"done": False, "matched": 1, "messages": 1, "keys": 1, "forgotten": 0})
    assert xueka(*words, "--do")[1]["done"] and xueka("interop", "status")[1][CODE]["queued"] == 1
    code, told = xueka("interop", "reconcile", "nobody")
    assert (code, told["error"]["code"]) == (1, "COUNTERPART_UNKNOWN")


def test_comparisons_stay(city: City, tong: Tong) -> None:
    interop.reconcile(SYSTEM, tong.partner, DATASET)
    for statement in ("UPDATE interop_comparison SET ours = 1", "DELETE FROM interop_comparison"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
