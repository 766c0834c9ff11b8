"""Key management with a PKCS#11 module: keys lie inside it; what it cannot do is refused."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import transaction

from tests.unit.keys.conftest import FIRST, LEADER, NOW, SECOND, SYSTEM, changed
from xueka.contexts.keys import api as keys
from xueka.contexts.keys.services import stores
from xueka.contexts.keys.services.demo import Players
from xueka.kernel import clock
from xueka.kernel.errors import Refused, XuekaError
from xueka.platform.crypto import card_ciphers

pytestmark = pytest.mark.django_db
KEY = {"title": "主控", "kind": "control", "algorithm": "3des", "usages": ["diversify"]}
PLAN = {
    "title": "密码机", "threshold": 2, "led_by": "leader", "reviewed_by": "second",
    "custodians": [{"username": name, "name": name} for name in ("anne", "bert")],
    "keys": [{**KEY, "label": "module.control"}],
}  # fmt: skip


@pytest.fixture(autouse=True)
def module(softhsm_token: tuple[str, str, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    library, label, pin = softhsm_token
    for name, value in (("KEY_STORE", "pkcs11"), ("PKCS11_MODULE", library), ("PKCS11_TOKEN", label),
                        ("PKCS11_PIN_FILE", str(pin))):  # fmt: skip
        monkeypatch.setenv(f"XUEKA_{name}", value)
    stores._module.cache_clear()
    with clock.at(NOW):
        yield
    stores._module().close()  # type: ignore[attr-defined]
    stores._module.cache_clear()


@transaction.atomic
def held() -> keys.Ceremony:
    plan = keys.read_plan(json.dumps(PLAN))
    return keys.hold_ceremony(LEADER, SECOND, plan, Players(), lambda person, code: True)


def use(version: int | None = None) -> card_ciphers.CardKey:
    [key] = keys.card_keys(SYSTEM, [("module.control", version)], [bytes(8)], purpose="x", subject="y")
    return key


def test_keys_are_made_used_rotated_and_destroyed_inside() -> None:
    held()
    [version] = keys.key(SYSTEM.scope, "module.control").versions.all()
    assert (version.store, version.block, version.wrapped_by) == ("pkcs11", None, None)
    assert version.handle
    first = use()
    changed("rotate", "module.control")
    assert use().kcv != first.kcv
    assert use(1).kcv == first.kcv
    assert keys.verify(SYSTEM).findings == []
    changed("retire", "module.control", version=1)
    gone = keys.version(SYSTEM.scope, "module.control", 1)
    changed("destroy", "module.control", version=1)
    assert keys.finish_removals(SYSTEM) == 1
    assert keys.verify(SYSTEM).findings == []
    from xueka.contexts.keys.services import keeping

    with pytest.raises(XuekaError):
        keeping.kcv(gone)


def test_a_key_that_went_missing_in_the_module_is_found() -> None:
    held()
    [version] = keys.key(SYSTEM.scope, "module.control").versions.all()
    from xueka.contexts.keys.services import keeping, stores

    stores.named(version.store).destroy(keeping.stored(version))
    assert [each.what for each in keys.verify(SYSTEM).findings] == ["module.control/1"]


def test_what_the_module_cannot_do_is_said_and_never_done_in_software() -> None:
    changed("register", "module.sm4", **{**KEY, "algorithm": "sm4"})
    asked = keys.ask(FIRST, "generate", "module.sm4", "新卡")
    with pytest.raises(Refused) as refusal, transaction.atomic():
        keys.confirm(SECOND, asked.number)
    assert refusal.value.code == "KEY_ALGORITHM_UNSUPPORTED"
    assert not keys.key(SYSTEM.scope, "module.sm4").versions.exists()


def test_a_store_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XUEKA_KEY_STORE", "cloud")
    with pytest.raises(Refused) as refusal:
        stores.name_for(drill=False)
    assert refusal.value.code == "KEY_STORE_UNKNOWN"
