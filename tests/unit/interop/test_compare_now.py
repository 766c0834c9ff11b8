"""A comparison that a person wants now: asked for once, made by the worker, told on the page."""

from datetime import timedelta

import psycopg
import pytest
from django.db import connection

from tests.unit.interop.conftest import CODE, SYSTEM, City, Tong
from tests.unit.interop.test_cards_told import numbers
from xueka.contexts.interop import api as interop
from xueka.contexts.interop.models import AskedComparison
from xueka.contexts.interop.services.comparing import name_of
from xueka.kernel import clock
from xueka.kernel.errors import Forbidden, NotFound, Refused
from xueka.platform.audit.models import Entry
from xueka.platform.database import address
from xueka.platform.database.address import Role
from xueka.platform.exchange.models import OPEN, Line
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE
from xueka.platform.jobs.sweeps import alone, at_work

pytestmark = pytest.mark.django_db
DATASET = interop.CARD_STATUS
NAME = name_of(CODE, DATASET)


def now(tong: Tong) -> interop.Dataset:
    (found,) = interop.datasets(SYSTEM, tong.partner)
    return found


def test_it_is_asked_for_once_made_by_the_worker_and_told(city: City, tong: Tong) -> None:
    numbers(city.active(city.students(3)))
    assert (now(tong).runs, now(tong).last, now(tong).blocked) == (False, None, "")
    interop.ask_comparison(SYSTEM, CODE, DATASET)
    assert now(tong).runs and now(tong).blocked == "正在核对"
    with pytest.raises(Refused) as twice:
        interop.ask_comparison(SYSTEM, CODE, DATASET)
    assert twice.value.code == "COMPARISON_RUNS"
    assert interop.compare_asked()
    found = now(tong)
    assert not found.runs and found.last is not None and found.asked is not None
    assert found.asked.comparison_id == found.last.id and found.asked.problem == ""
    assert (found.last.ours, found.last.differing) == (3, 3)
    assert [each.action for each in Entry.objects.filter(object_type="counterpart").order_by("id")] == [
        "interop.compare",
        "interop.reconcile",
    ]
    interop.ask_comparison(SYSTEM, CODE, DATASET)  # the next one may be asked for


def test_nobody_asks_while_one_runs_and_the_worker_waits_for_it(city: City, tong: Tong) -> None:
    with alone(NAME):
        assert at_work([NAME, "another"]) == {NAME} and now(tong).runs
        with pytest.raises(Refused) as busy:
            interop.ask_comparison(SYSTEM, CODE, DATASET)
        assert busy.value.code == "COMPARISON_RUNS"
    interop.ask_comparison(SYSTEM, CODE, DATASET)
    place = address.parameters(Role.APPLICATION, connection.settings_dict["NAME"])
    with psycopg.connect(**place) as daily:
        daily.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", [0x58554A53, NAME])
        interop.compare_asked()
        assert now(tong).runs and now(tong).last is None
    interop.compare_asked()
    assert not now(tong).runs and now(tong).last is not None


def test_a_silent_counterpart_is_not_asked_until_its_pause_is_over(city: City, tong: Tong) -> None:
    until = clock.now() + timedelta(minutes=5)
    Line.objects.create(counterpart=CODE, breaker=OPEN, open_until=until, problem="对方没有应答")
    assert "对方没有应答" in now(tong).blocked
    with pytest.raises(Refused) as silent:
        interop.ask_comparison(SYSTEM, CODE, DATASET)
    assert silent.value.code == "COUNTERPART_SILENT" and not AskedComparison.objects.exists()
    with clock.at(until + timedelta(seconds=1)):
        interop.ask_comparison(SYSTEM, CODE, DATASET)


def test_what_comes_to_nothing_says_why(city: City, tong: Tong, monkeypatch: pytest.MonkeyPatch) -> None:
    tong.house.stop()
    interop.ask_comparison(SYSTEM, CODE, DATASET)
    interop.compare_asked()
    last = now(tong).last
    assert last is not None and "没有回答" in last.problem and not now(tong).runs
    monkeypatch.setattr("xueka.contexts.interop.services.comparing.reconcile", lambda *_: 1 // 0)
    interop.ask_comparison(SYSTEM, CODE, DATASET)
    interop.compare_asked()
    asked = now(tong).asked
    assert asked is not None and "系统日志" in asked.problem and not now(tong).runs


def test_who_only_reads_may_not_and_what_is_not_compared_is_not_found(city: City, tong: Tong) -> None:
    reader = Actor("r", "r", "r", EVERYWHERE, permissions=frozenset({"city:interop:read"}))
    with pytest.raises(Forbidden):
        interop.ask_comparison(reader, CODE, DATASET)
    with pytest.raises(NotFound):
        interop.ask_comparison(SYSTEM, CODE, "transit-bindings")
    with pytest.raises(NotFound):
        interop.ask_comparison(SYSTEM, "nobody", DATASET)
