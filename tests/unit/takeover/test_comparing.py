"""The other system beside ours: what differs, since when, why, and who says so."""

from collections import Counter
from datetime import timedelta
from random import Random

import pytest
from django.db import IntegrityError, transaction
from django.test import RequestFactory

from tests.unit.cards.conftest import NOW
from tests.unit.takeover.conftest import ONE, OTHER, SEED, Programme
from tests.unit.takeover.test_loading import held
from xueka.contexts.cards import api as cards
from xueka.contexts.takeover import api as takeover
from xueka.contexts.takeover.models import CardRow
from xueka.entrypoints.portals.city.takeover import _chosen
from xueka.kernel import clock
from xueka.kernel.errors import NotFound, Refused
from xueka.simulation import old_system


def open_differences() -> "Counter[tuple[str, str]]":
    return Counter(takeover.differences(ONE.scope).values_list("part", "kind"))


def test_the_same_extract_shows_no_difference(programme: Programme) -> None:
    extract = programme.extract()
    programme.loaded(extract)
    found, counts = takeover.compare(ONE, extract.files())
    assert (found.state, counts) == ("compared", {})
    assert not CardRow.objects.filter(take_over=found).exists()
    held()


def test_a_day_later_each_difference_is_found_and_nothing_else(programme: Programme) -> None:
    extract = programme.extract()
    programme.loaded(extract)
    later, expected = old_system.next_day(Random(SEED), extract)
    _, counts = takeover.compare(ONE, later.files())
    assert open_differences() == +expected
    assert sum(sum(kinds.values()) for kinds in counts.values()) == expected.total()
    [state] = takeover.differences(ONE.scope).filter(part="cards", kind="state")
    assert (state.old, state.ours) == ("lost", "active")


def test_ours_that_the_other_does_not_know(programme: Programme) -> None:
    extract = programme.extract()
    programme.loaded(extract)
    [card] = programme.city.active(programme.city.students(1))
    takeover.compare(ONE, extract.files())
    assert open_differences() == {("cards", "only_here"): 1, ("accounts", "only_here"): 1}
    assert takeover.differences(ONE.scope).get(part="cards").key == cards.Card.objects.get(id=card).number


def test_everything_that_the_filters_show_is_explained(programme: Programme, rf: RequestFactory) -> None:
    extract = programme.extract()
    programme.loaded(extract)
    later, expected = old_system.next_day(Random(SEED), extract)
    takeover.compare(ONE, later.files())
    request = rf.post("/", {"everything": "1", "filters": "part=cards"})
    request.actor = ONE
    wanted = takeover.differences(ONE.scope).filter(part="cards").values_list("id", flat=True)
    assert sorted(_chosen(request)) == sorted(wanted) != []
    assert len(wanted) < expected.total()
    request = rf.post("/", {"keys": ["7", "x", "9" * 30]})
    assert _chosen(request) == [7]


def test_a_difference_ages_is_explained_signed_and_goes(programme: Programme) -> None:
    extract = programme.extract()
    programme.loaded(extract)
    later, _ = old_system.next_day(Random(SEED), extract)
    takeover.compare(ONE, later.files())
    [state] = takeover.differences(ONE.scope).filter(part="cards", kind="state")
    with pytest.raises(Refused) as refusal:
        takeover.sign(OTHER, [state.id])
    assert refusal.value.code == "NOT_EXPLAINED"
    takeover.explain(ONE, [state.id], "家长在旧系统挂失，明日补录")
    with pytest.raises(Refused) as refusal:
        takeover.sign(ONE, [state.id])
    assert refusal.value.code == "SECOND_PERSON"
    takeover.sign(OTHER, [state.id])
    with pytest.raises(IntegrityError), transaction.atomic():
        takeover.Difference.objects.filter(id=state.id).update(explained_by="other")

    with clock.at(NOW + timedelta(days=2)):
        takeover.compare(ONE, later.files())
        state.refresh_from_db()
        assert (state.signed_by, state.since) == ("other", NOW), "seen again: its age and sign-off stay"
        row = next(row for row in later.rows["cards"] if row["卡号"] == state.key)
        row |= {"卡状态": "已注销", "挂失日期": "", "注销日期": "2026-09-02"}
        takeover.compare(ONE, later.files())
        state.refresh_from_db()
        assert (state.old, state.explanation, state.signed_by) == ("cancelled", "", ""), (
            "it says another thing"
        )
        exported = takeover.export(ONE).decode("utf-8-sig")
        assert "学生卡,状态不同," in exported
        assert "cards" not in exported
        assert exported.count("\n") == takeover.differences(ONE.scope).count() + 1
        extract.as_of = later.as_of
        takeover.compare(ONE, extract.files())
        state.refresh_from_db()
        assert state.gone_at is not None
        with pytest.raises(NotFound):
            takeover.explain(ONE, [state.id], "晚了")
    assert open_differences() == {}


def test_an_older_extract_says_nothing_new(programme: Programme) -> None:
    extract = programme.extract()
    programme.loaded(extract)
    later, expected = old_system.next_day(Random(SEED), extract)
    with clock.at(NOW + timedelta(days=2)):
        takeover.compare(ONE, later.files())
        with pytest.raises(Refused) as refusal, transaction.atomic():
            takeover.compare(ONE, extract.files())
        assert refusal.value.code == "EXTRACT_OLDER"
        assert open_differences() == +expected
