"""A destroyed key leaves its store after the decision is committed, once or twice, and is on record once."""

from collections.abc import Iterator

import pytest
from django.db import transaction

from tests.unit.keys.conftest import NOW, SYSTEM, changed
from xueka.contexts.keys import api as keys
from xueka.contexts.keys import jobs
from xueka.contexts.keys.models import Removal
from xueka.contexts.keys.services import stores
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.platform.audit.models import Entry


class Stop(BaseException):
    """The process is gone."""


def stored() -> set[str]:
    local = stores.sealed("software")
    assert local is not None
    found = local._read()
    assert found is not None
    return set(found["keys"])


@pytest.fixture
def retired(demo_keys: keys.Ceremony) -> Iterator[None]:
    changed("rotate", "local")
    keys.finish_rewrapping(SYSTEM)
    changed("retire", "local", version=1)
    assert stored() == {"local/1", "local/2"}
    with clock.at(NOW):
        yield


def test_a_decision_that_is_taken_back_has_taken_nothing_from_the_store(retired: None) -> None:
    with pytest.raises(Stop), transaction.atomic():
        changed("destroy", "local", version=1)
        raise Stop
    assert keys.version(SYSTEM.scope, "local", 1).state == "retired"
    assert stored() == {"local/1", "local/2"}
    jobs.remove()
    assert stored() == {"local/1", "local/2"}
    assert keys.verify(SYSTEM).findings == []


def test_it_leaves_the_store_after_the_decision_and_is_recorded_once(retired: None) -> None:
    changed("destroy", "local", version=1)
    assert stored() == {"local/1", "local/2"}
    removal = Removal.objects.get()
    assert keys.finish_removals(SYSTEM) == 1
    assert stored() == {"local/2"}
    assert keys.finish_removals(SYSTEM) == 0
    Removal.objects.filter(pk=removal.pk).update(done_at=None)  # as if it died before this was written
    assert keys.finish_removals(SYSTEM) == 1
    assert Removal.objects.get().done_at == NOW
    told = Entry.objects.filter(action="key.removed").values_list("object_id", "detail__version")
    assert list(told) == [("local", 1), ("local", 1)]


def test_a_store_that_is_away_keeps_its_own_waiting(retired: None, monkeypatch: pytest.MonkeyPatch) -> None:
    changed("destroy", "local", version=1)
    with monkeypatch.context() as patch:

        def away(name: str) -> None:
            raise Refused("KEY_STORE_UNKNOWN", "密钥库不在。")

        patch.setattr(stores, "named", away)
        assert keys.finish_removals(SYSTEM) == 0
    assert Removal.objects.get().done_at is None
    assert keys.finish_removals(SYSTEM) == 1


def test_a_block_outside_goes_with_its_record(demo_keys: keys.Ceremony) -> None:
    changed("rotate", "education.adf.internal")
    changed("retire", "education.adf.internal", version=1)
    changed("destroy", "education.adf.internal", version=1)
    assert keys.version(SYSTEM.scope, "education.adf.internal", 1).block is None
    assert not Removal.objects.exists()
