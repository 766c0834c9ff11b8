"""Two people at once see to officers: one after the other, and whoever comes second is told so."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from django.db import connection, transaction

from tests.unit.officers.conftest import EAST, person
from tests.unit.officers.test_changing_hands import WORK, grant_of, today
from tests.unit.officers.test_provisioning import GOOD
from xueka.contexts.officers import api as officers
from xueka.contexts.officers.services import handing_over, leaving, provisioning
from xueka.kernel.errors import XuekaError
from xueka.platform.identity import accounts
from xueka.platform.identity.models import User

pytestmark = pytest.mark.django_db(transaction=True)
Meeting = Callable[..., None]


@pytest.fixture
def meeting() -> Iterator[Meeting]:
    """Where these functions of modules begin, both wait for each other, once, and not for long."""
    with pytest.MonkeyPatch.context() as patch:
        both = Barrier(2)

        def meet(*points: tuple[Any, str]) -> None:
            for module, name in points:
                original = getattr(module, name)
                patch.setattr(module, name, partial(after_the_other, original))

        def after_the_other(original: Callable[..., Any], *arguments: Any) -> Any:
            with suppress(BrokenBarrierError):
                both.wait(0.5)
            both.abort()
            return original(*arguments)

        yield meet


def together(*acts: Callable[[], Any]) -> list[Any]:
    """Each act in its own thread and transaction; its result, or the code of its refusal."""

    def run(act: Callable[[], Any]) -> Any:
        try:
            with transaction.atomic():
                return act()
        except XuekaError as error:
            return error.code
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def test_two_lists_name_the_same_new_people(meeting: Meeting) -> None:
    meeting((provisioning, "_problem"))
    bring = lambda: officers.import_officers(EAST, GOOD, "a.csv")  # noqa: E731
    found = together(bring, bring)
    assert sorted((report.created, report.unchanged, report.rejected) for report in found) == [
        (0, 4, 0),
        (3, 0, 0),
    ]
    assert User.objects.count() == 3


def test_two_leave_and_each_was_to_follow_the_other(meeting: Meeting) -> None:
    person("zhou", "周敏")
    person("wulan", "吴岚")
    meeting((leaving, "keeps"))
    first, second = together(
        lambda: officers.leave(EAST, "zhou", "调离", WORK, "wulan").username,
        lambda: officers.leave(EAST, "wulan", "调离", WORK, "zhou").username,
    )
    assert sorted((first, second)) in (["USER_NOT_FOUND", "wulan"], ["USER_NOT_FOUND", "zhou"])
    assert User.objects.filter(is_active=True).count() == 1


def test_two_hand_their_work_to_each_other(meeting: Meeting) -> None:
    zhou, herself = person("zhou", "周敏")
    wu, wu_acts = person("wulan", "吴岚", "school_reviewer")
    grants = grant_of(zhou).pk, grant_of(wu).pk
    meeting((handing_over, "colleague_of"))
    found = together(
        lambda: officers.ask(herself, grants[0], "wulan", today(), "").state,
        lambda: officers.ask(wu_acts, grants[1], "zhou", today(), "").state,
    )
    assert found == ["asked", "asked"]


def test_she_leaves_while_her_hand_over_is_confirmed(meeting: Meeting) -> None:
    zhou, herself = person("zhou", "周敏")
    _, wu_acts = person("wulan", "吴岚", "school_reviewer")
    with transaction.atomic():
        asked = officers.ask(herself, grant_of(zhou).pk, "wulan", today(), "")
        officers.confirm(herself, asked.pk, WORK)
    meeting((leaving, "keeps"), (handing_over, "visible_to"))
    found = together(
        lambda: officers.leave(EAST, "zhou", "调离", WORK).username,
        lambda: officers.confirm(wu_acts, asked.pk, WORK).pk,
    )
    assert found in (["zhou", asked.pk], ["zhou", "TRANSITION_NOT_ALLOWED"])
    assert accounts.open_grants(zhou) == []
