"""The registry by REST: a walk through its lists, brought in as a package is; what moves under it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import LazySettings

from tests.support.registry import SCHOOLS, clean
from tests.support.student_registry import OPERATOR, Registry, person, registry_beside
from xueka.contexts.registry.models import Absence, ImportRun, OneRosterPage, Student
from xueka.contexts.registry.oneroster import fetched_package, fetching, registry_client
from xueka.contexts.registry.quality import QUALITY
from xueka.kernel import clock
from xueka.kernel.errors import Conflict, Refused

pytestmark = pytest.mark.django_db(databases=["default"])


@pytest.fixture
def registry(schools: None, tmp_path: Path, settings: LazySettings) -> Iterator[Registry]:
    settings.ONEROSTER_LIMIT = 20
    with registry_beside(tmp_path / "registry", settings) as made:
        yield made


def later(registry: Registry, minutes: int) -> None:
    registry.house.clock.set(clock.local(clock.now() + timedelta(minutes=minutes)).isoformat())


def test_everything_and_then_what_changed(registry: Registry) -> None:
    users = registry.enter(clean(50))
    first = registry.fetch()
    assert first.full and first.run and first.run.created == 50, first.problem
    assert registry.agrees()
    later(registry, 5)
    registry.roll.correct(users[0], {"name": "欧阳文"})
    second = registry.fetch()
    assert not second.full and second.run and (second.run.updated, second.run.rejected) == (1, 0)
    assert Student.objects.filter(name="欧阳文").count() == 1
    assert registry.agrees()
    again = registry.fetch(full=True)
    assert again.run and (again.run.unchanged, again.run.updated) == (50, 0), again.run.report
    assert not ImportRun.objects.filter(dry_run=True).exists()
    assert first.check_run == first.run  # the run itself tells the differences


def test_without_a_card_and_two_at_once(registry: Registry, settings: LazySettings, tmp_path: Path) -> None:
    fetching.ask(OPERATOR)
    with pytest.raises(Conflict) as refused:
        fetching.ask(OPERATOR)
    assert refused.value.code == "ONEROSTER_FETCHING"
    settings.ONEROSTER_PARTNER = tmp_path / "none.json"
    with pytest.raises(Refused) as refused:
        fetching.ask(OPERATOR)
    assert refused.value.code == "ONEROSTER_NO_PARTNER"


def test_killed_between_pages_and_in_the_middle_of_one(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = registry.enter(clean(50))
    number = fetching.ask(OPERATOR).id
    left = iter([False] * 4)
    fetching.advance(number, until=lambda: next(left, True))
    before = list(OneRosterPage.objects.values_list("kind", "number"))
    assert len(before) == 4
    with monkeypatch.context() as broken:
        broken.setattr(fetching.OneRosterFetch, "save", lambda _: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(MemoryError):
            fetching.advance(number)
    assert list(OneRosterPage.objects.values_list("kind", "number")) == before
    # Meanwhile a record that was read is removed for good: the lists move up.
    registry.roll.purge("users", users[0])
    done = registry.walk(number)
    assert done.run and done.run.created == 50, done.problem
    assert OneRosterPage.objects.filter(fetch=number).count() > len(before)


def test_after_a_bad_day_both_sides_agree(registry: Registry) -> None:
    rows = clean(60, schools=SCHOOLS[:2])
    users = registry.enter(rows)
    registry.turn(preset="heavy")
    registry.fetch()
    later(registry, 5)
    for user in users[:9]:
        registry.roll.correct(user, {"name": "欧阳文", "address": "北京市样例路1号"})
    for user, row in zip(users[9:14], rows[20:25], strict=True):
        registry.roll.move(user, person(row))
    registry.fetch()
    registry.turn(preset="none")
    assert {each["kind"] for each in registry.house.dial.recorded()} >= {"errors", "again", "drift"}
    last = registry.fetch()
    assert last.run and last.run.rejected == 0, last.run.report
    assert registry.agrees()


def test_a_copy_that_lags_behind_does_not_keep_a_pupil_in_her_former_class(registry: Registry) -> None:
    """Both enrolments are active there, the former one on the later line: the later change counts."""
    rows = clean(3)
    users = registry.enter(rows)
    registry.fetch()
    later(registry, 5)
    registry.roll.move(users[0], {**person(rows[0]), "class_name": "99班"})
    registry.turn(stale=1, shuffle=1)
    registry.fetch()
    assert {each["kind"] for each in registry.house.dial.recorded()} == {"stale", "shuffle"}
    assert Student.objects.filter(school_class__name="99班").count() == 1


def test_drift_is_said_of_record_and_property(registry: Registry) -> None:
    registry.enter(clean(3))
    body = registry.roll._body("users", registry.roll.users()[0])
    registry.roll._write("users", "u-bad", {**body, "identifier": ["1"], "xBus": 3})
    done = registry.fetch(check_only=True)
    assert done.waits and done.check_run
    report = done.check_run.report
    assert [each["code"] for each in report["errors"]] == ["ONEROSTER_SHAPE"]
    message = report["errors"][0]["message"]
    assert "users 记录 u-bad「identifier」" in message and "读到列表，应为文字" in message
    assert [(each["code"], each["column"]) for each in report["warnings"]] == [("ONEROSTER_DRIFT", "xBus")]
    fetching.apply_fetch(OPERATOR, done.id)
    assert fetching.fetches(OPERATOR)[0].run.created == 3


def test_what_is_doubtful_waits_and_may_be_dropped(registry: Registry, settings: LazySettings) -> None:
    users = registry.enter(clean(30))
    registry.fetch()
    settings.ONEROSTER_LEAVERS = 2
    for user in users[:4]:
        registry.roll.leave(user)
    done = registry.fetch()
    assert done.waits and done.problem.startswith("缺失的学生太多：4 人")
    assert done.check_run and done.check_run.dry_run and not Absence.objects.exists()  # undone again
    fetching.drop_fetch(OPERATOR, done.id)
    with pytest.raises(Conflict) as refused:
        fetching.apply_fetch(OPERATOR, done.id)
    assert refused.value.code == "ONEROSTER_FETCH_OVER"


def test_a_silent_registry_is_asked_again_and_a_wrong_secret_is_not(
    registry: Registry, tmp_path: Path, settings: LazySettings
) -> None:
    registry.turn(errors=1)
    number = fetching.ask(OPERATOR).id
    fetching.advance(number)
    found = fetching.OneRosterFetch.objects.get(id=number)
    assert found.tries == 1 and found.next_at > clock.now() and not found.ended_at
    assert "学籍系统" in found.problem
    card = tmp_path / "wrong.json"
    card.write_text(json.dumps({**registry.card, "client_secret": "no"}), "utf-8")
    settings.ONEROSTER_PARTNER = card
    registry.turn(errors=0)
    fetching.advance(number)
    found.refresh_from_db()
    assert found.ended_at and not found.run and "invalid_client" in found.problem


def test_a_list_that_stays_short_is_given_up_and_says_so(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registry that counts more than it serves: with deleted records, or without the filter."""
    registry.enter(clean(3))
    honest = registry_client._read

    def boastful(kind: str, answer: Any, offset: int) -> registry_client.Answered:
        found = honest(kind, answer, offset)
        return replace(found, total=(found.total or 0) + 7) if kind == "users" else found

    monkeypatch.setattr(registry_client, "_read", boastful)
    done = registry.fetch(full=True)
    assert done.ended_at and not done.run and "读了几遍都不齐" in done.problem
    assert OneRosterPage.objects.filter(fetch=done).count() < 40


@pytest.mark.parametrize("moves", [False, True], ids=["no count", "other records each time"])
def test_a_list_without_end_is_given_up_and_says_so(
    registry: Registry, settings: LazySettings, monkeypatch: pytest.MonkeyPatch, moves: bool
) -> None:
    settings.ONEROSTER_MOST = 300
    asked = 0

    def page(client: object, kind: str, offset: int, limit: int, since: str) -> registry_client.Answered:
        nonlocal asked
        asked += 1
        assert asked < 1_000, "for ever"
        first = asked * limit if moves else offset
        ids = [f"{kind}-{at}" for at in range(first, first + limit)]
        return registry_client.Answered(b"[]", ids, "", None, more=True)

    monkeypatch.setattr(registry_client.RegistryClient, "page", page)
    over = registry.fetch()
    assert over.ended_at and over.run is None
    assert over.problem.startswith("学籍系统的列表 orgs 没有尽头。") and "300 条" in over.problem
    assert OneRosterPage.objects.filter(fetch=over).count() <= 300 // 15


def test_characters_that_no_database_keeps_stop_nobody(registry: Registry) -> None:
    users, text = registry.enter(clean(3)), "欧\x00阳"
    body = registry.roll._body("users", users[0])
    for identity in ("u-bad", f"u-{text}"):
        registry.roll._write("users", identity, {**body, "givenName": text, "metadata": {"bj.name": text}})
    done = registry.fetch(check_only=True)
    assert done.waits and done.check_run, done.problem
    fetching.apply_fetch(OPERATOR, done.id)
    assert fetching.fetches(OPERATOR)[0].run.created == 3
    assert not Student.objects.filter(name__contains="欧").exists()


@pytest.mark.parametrize(
    "said", [rb'"\u0000"', rb'"\ud800"', rb'"\\u0000"', b'"\xed\xa0\x80"'], ids=["nul", "half", "text", "raw"]
)
def test_a_page_is_text_that_can_be_kept(said: bytes) -> None:
    body = b'{"users": [{"sourcedId": %s, "more": [{%s: %s}]}]}' % (said, said, said)
    answer = registry_client._Got(200, httpx.Headers(), body, "/users")
    found = registry_client._read("users", answer, 0)
    [identity] = found.ids
    assert identity == json.loads(found.content)[0]["sourcedId"]
    assert identity == ("\\u0000" if said == rb'"\\u0000"' else "\ufffd" * len(identity))


def test_a_page_too_deep_to_read_may_come_better_later() -> None:
    answer = registry_client._Got(200, httpx.Headers(), b'{"users": ' + b"[" * 200_000, "/users")
    with pytest.raises(registry_client.RegistryUnavailable):
        registry_client._read("users", answer, 0)


def test_a_mistake_of_ours_is_seen_and_counted(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.enter(clean(3))
    number = fetching.ask(OPERATOR).id
    monkeypatch.setattr(fetched_package, "package_of", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fetching.advance(number)
    found = fetching.OneRosterFetch.objects.get(id=number)
    assert found.tries == 1 and found.next_at > clock.now() and "ZeroDivisionError" in found.problem
    fetching.OneRosterFetch.objects.filter(id=number).update(tries=fetching.TRIES - 1)
    with pytest.raises(ZeroDivisionError):
        fetching.advance(number)
    found.refresh_from_db()
    assert found.ended_at and not found.run


def pauses(registry: Registry, calls: int, **dial: float) -> list[float]:
    """Seconds until the next call after each of so many calls that are refused."""
    registry.turn(limited=1, **dial)
    number, found = fetching.ask(OPERATOR).id, []
    now = clock.now()
    with clock.at(now):
        for _ in range(calls):
            fetching.advance(number)
            row = fetching.OneRosterFetch.objects.get(id=number)
            assert row.next_at
            found.append((row.next_at - now).total_seconds())
    assert row.tries == calls
    return found


def test_a_registry_that_asks_for_a_pause_is_left_alone_so_long(registry: Registry) -> None:
    """As seconds and as a date, with 429 and with 503; what is shorter than our own pause changes nothing."""
    assert all(117 <= seconds <= 123 for seconds in pauses(registry, 6, limited_seconds=120))
    fetching.drop_fetch(OPERATOR, fetching.OneRosterFetch.objects.latest("id").id)
    assert pauses(registry, 4, limited_seconds=1) == [2, 4, 8, 16]


def test_a_pause_of_weeks_is_an_hour(registry: Registry) -> None:
    assert set(pauses(registry, 6, limited_seconds=1_000_000)) == {3600}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"Retry-After": "17"}, 17),
        ({"Retry-After": "soon"}, 0),
        ({"Retry-After": "-5"}, 0),
        ({"Retry-After": "9" * 400}, float("inf")),
        ({"Retry-After": "Fri, 27 Nov 2026 00:01:30 GMT", "Date": "Fri, 27 Nov 2026 00:00:00 GMT"}, 90),
        ({"Retry-After": "Fri, 27 Nov 2026 00:01:30 GMT", "Date": "today"}, 90),
        ({"Retry-After": "Thu, 26 Nov 2026 00:00:00 GMT", "Date": "Fri, 27 Nov 2026 00:00:00 GMT"}, -86400),
    ],
)
def test_forms_of_retry_after(headers: dict[str, str], seconds: float) -> None:
    with clock.at(datetime(2026, 11, 27, tzinfo=UTC)):
        assert registry_client._asked_to_wait(httpx.Headers(headers)) == seconds


def test_once_a_night_and_not_after_a_run_was_taken_back(registry: Registry) -> None:
    night = clock.local(clock.now()).replace(hour=5, minute=0)
    with clock.at(night):
        assert fetching.due_tonight() is True
        registry.enter(clean(3))
        done = registry.fetch()
        assert fetching.due_tonight() is None
    with clock.at(night - timedelta(hours=3) + timedelta(days=1)):
        assert fetching.due_tonight() is None
    with clock.at(night + timedelta(days=1)):
        assert fetching.due_tonight() is False
        ImportRun.objects.filter(id=done.run_id).update(reverted_at=clock.now())
        assert fetching.due_tonight() is None


def quality() -> dict[str, tuple[int, int]]:
    first = datetime.combine(clock.today(), datetime.min.time(), clock.SHANGHAI)
    return dict(QUALITY.taken(first, first + timedelta(days=1))["oneroster"])


def test_how_good_what_the_registry_says_is(registry: Registry, settings: LazySettings) -> None:
    with clock.at(clock.now().astimezone(clock.SHANGHAI).replace(hour=3, minute=50)) as time:
        settings.ONEROSTER_HOUR = "4"
        assert quality() == {"valid": (0, 0), "timely": (0, 0)}
        users = registry.enter(clean(50))
        time.advance(timedelta(minutes=20))
        registry.fetch(full=True)
        assert quality() == {"valid": (50, 50), "timely": (1, 1), "complete": (50, 50), "accurate": (0, 0)}
        time.advance(timedelta(minutes=20))
        registry.roll.correct(users[0], {"name": "欧阳文"})
        registry.roll.correct(users[1], {"birth_date": "1011-01-01"})
        registry.roll.leave(users[2])
        assert registry.fetch(full=True).run
        found = quality()
        assert (found["accurate"], found["complete"]) == ((47, 48), (48, 50))
        assert found["valid"] == (98, 99)


def test_a_night_without_a_fetch_is_not_in_time(registry: Registry, settings: LazySettings) -> None:
    settings.ONEROSTER_HOUR = "4"
    with clock.at(clock.now().astimezone(clock.SHANGHAI).replace(hour=8, minute=10)):
        assert quality()["timely"] == (0, 1)
        registry.enter(clean(3))
        registry.fetch()
        assert quality()["timely"] == (0, 0), "the night was over before the registry was first asked"
    with clock.at((clock.now() + timedelta(days=1)).astimezone(clock.SHANGHAI).replace(hour=8, minute=10)):
        assert quality()["timely"] == (0, 1)
        settings.ONEROSTER_HOUR = "off"
        assert quality()["timely"] == (0, 0)
