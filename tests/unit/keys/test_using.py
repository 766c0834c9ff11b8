"""Using keys: policy, the record, the key; without the record no key."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.db.utils import ProgrammingError

from tests.unit.keys.conftest import FIRST, OPERATOR, SYSTEM, changed
from xueka.contexts.keys import api as keys
from xueka.contexts.keys.services import keeping, using
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.platform.audit.models import Entry
from xueka.platform.crypto import card_ciphers
from xueka.platform.database import address
from xueka.platform.database.address import Role

pytestmark = pytest.mark.usefixtures("demo_keys")

FACTOR = bytes.fromhex("1122334455667788")
CONTROL, INTERNAL = "education.mf.control", "education.adf.internal"


def use(**more: object) -> list[card_ciphers.CardKey]:
    given = {"wanted": [(CONTROL, None), (INTERNAL, None)], "factors": [FACTOR], **more}
    return keys.card_keys(OPERATOR, **given, purpose="personalize", subject="C1")  # type: ignore[arg-type]


def test_the_keys_of_a_card_come_in_order_and_are_on_record() -> None:
    first, second = use()
    assert [(key.label, key.version, key.algorithm) for key in (first, second)] == [
        (CONTROL, 1, "3des"),
        (INTERNAL, 1, "3des"),
    ]
    assert first.kcv != second.kcv
    assert [key.kcv for key in use()] == [first.kcv, second.kcv]
    assert [key.kcv for key in use(factors=[FACTOR, FACTOR])] != [first.kcv, second.kcv]
    rows = list(keys.uses(SYSTEM.scope).exclude(usage="derive"))
    assert len(rows) == 6
    assert {(row.subject, row.purpose, row.actor, row.cards) for row in rows} == {
        ("C1", "personalize", "operator", 1)
    }
    entry = Entry.objects.filter(action="key.use", object_id="C1").first()
    assert entry is not None
    assert entry.detail["keys"] == [f"{CONTROL}/1", f"{INTERNAL}/1"]


def test_without_the_record_there_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of the audit log refuses, as on a full disk: nothing is derived."""
    derived: list[object] = []
    monkeypatch.setattr(keeping, "diversified", lambda *given: derived.append(given))

    def full(*given: object, **more: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO audit_entry (id) VALUES (NULL)")

    monkeypatch.setattr(using, "record", full)
    with pytest.raises(Refused) as refusal:
        use()
    assert refusal.value.code == "KEY_AUDIT"
    assert derived == []
    assert not keys.uses(SYSTEM.scope).exclude(usage="derive").exists()  # and the transaction goes on


def test_the_blank_key_comes_whole_and_only_it() -> None:
    key = keys.transport_key(OPERATOR, "transport.blank", purpose="personalize", subject="C1")
    assert key.encrypt(bytes(8)) == card_ciphers.encrypt("3des", b"\xff" * 16, bytes(8))
    with pytest.raises(Refused) as refusal:
        keys.transport_key(OPERATOR, CONTROL, purpose="personalize", subject="C1")
    assert refusal.value.code == "KEY_USAGE"
    with pytest.raises(Refused) as refusal:
        use(wanted=[("transport.blank", None)])
    assert refusal.value.code == "KEY_USAGE"


def test_a_foreign_key_is_named_and_not_used() -> None:
    with pytest.raises(Refused) as refusal:
        use(wanted=[("transit.load", None)])
    assert refusal.value.code == "KEY_FOREIGN"
    assert "一卡通" in str(refusal.value.found)


def test_who_may_use_keys_may_not_keep_them() -> None:
    with pytest.raises(Forbidden):
        keys.card_keys(FIRST, [(CONTROL, None)], [FACTOR], purpose="x", subject="C1")
    with pytest.raises(Forbidden):
        keys.ask(OPERATOR, "rotate", CONTROL, "想换")


def test_a_named_version_serves_as_long_as_older_cards_answer_to_it() -> None:
    [before] = use(wanted=[(CONTROL, None)])
    changed("rotate", CONTROL)
    [after] = use(wanted=[(CONTROL, None)])
    assert (after.version, keys.active(CONTROL).version) == (2, 2)
    [old] = use(wanted=[(CONTROL, 1)])
    assert (old.kcv, old.version) == (before.kcv, 1)
    changed("retire", CONTROL, version=1)
    with pytest.raises(Refused) as refusal:
        use(wanted=[(CONTROL, 1)])
    assert refusal.value.code == "KEY_STATE"


def test_what_is_unknown_or_without_reason_is_refused() -> None:
    with pytest.raises(NotFound):
        use(wanted=[("education.none", None)])
    with pytest.raises(NotFound):
        use(wanted=[(CONTROL, 9)])
    with pytest.raises(BadInput):
        keys.card_keys(OPERATOR, [(CONTROL, None)], [FACTOR], purpose="", subject="C1")
    changed("retire", CONTROL, version=1)
    with pytest.raises(Refused) as refusal:
        use(wanted=[(CONTROL, None)])
    assert refusal.value.code == "KEY_NONE_ACTIVE"


COUNT = 150
FACTORS = b"".join(number.to_bytes(8, "big") for number in range(COUNT))


def batch() -> keys.BatchKeys:
    labels = [CONTROL, "education_sm4.adf.internal"]
    return keys.batch_keys(OPERATOR, labels, FACTORS, "transport.batch", purpose="batch", subject="B26-0001")


def test_a_batch_is_the_same_keys_as_one_by_one() -> None:
    made = batch()
    assert (made.count, made.transport.label, made.versions[CONTROL]) == (COUNT, "transport.batch", 1)
    for label in made.versions:
        assert len(made.cryptograms[label]) == 16 * COUNT
        for place in (0, 77, COUNT - 1):
            factor = FACTORS[8 * place : 8 * place + 8]
            [one] = use(wanted=[(label, None)], factors=[factor])
            assert made.kcvs[label][3 * place : 3 * place + 3].hex() == one.kcv
        assert made.controls[label] == keys.control_sum(made.kcvs[label])
    assert {row.cards for row in keys.uses(SYSTEM.scope).filter(subject="B26-0001")} == {COUNT}


def test_a_mismatch_stops_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    right = keeping.diversified_wrapped

    def wrong(*given: object) -> tuple[bytes, bytes]:
        cryptograms, kcvs = right(*given)  # type: ignore[arg-type]
        return cryptograms, kcvs[:6] + bytes(3) + kcvs[9:]

    monkeypatch.setattr(keeping, "diversified_wrapped", wrong)
    with pytest.raises(Refused) as refusal:
        batch()
    assert refusal.value.code == "KEY_BATCH_CHECK"
    monkeypatch.setattr(keeping, "diversified_wrapped", lambda *given: (b"", b""))
    with pytest.raises(Refused):
        batch()


def test_uses_are_never_changed() -> None:
    use()
    with pytest.raises(ProgrammingError), connection.cursor() as cursor:
        cursor.execute("UPDATE keys_keyuse SET subject = 'C2'")


def test_six_keys_of_a_card_cost_few_statements(django_assert_max_num_queries: Callable[..., Any]) -> None:
    """At a counter and in a batch alike: one statement a key, and the record."""
    labels = [f"education.{each}" for each in ("mf.control", "mf.maintain", "adf.control", "adf.maintain",
                                               "adf.internal", "adf.external")]  # fmt: skip
    with django_assert_max_num_queries(12):
        use(wanted=[(label, None) for label in labels])


@pytest.mark.django_db(transaction=True)
def test_an_audit_log_that_takes_nothing_stops_every_use() -> None:
    """The application role may not write it any more, as after a mistaken grant: no key, by no door."""
    table, role = "audit_entry", address.application_role_name()
    with psycopg.connect(**address.parameters(Role.OWNER, connection.settings_dict["NAME"])) as owner:
        owner.execute(f"REVOKE INSERT ON {table} FROM {role}")
    try:
        for attempt in (
            use,
            batch,
            lambda: keys.transport_key(OPERATOR, "transport.blank", purpose="x", subject="C1"),
        ):
            with pytest.raises(Refused) as refusal:
                attempt()
            assert refusal.value.code == "KEY_AUDIT"
    finally:
        with psycopg.connect(**address.parameters(Role.OWNER, connection.settings_dict["NAME"])) as owner:
            owner.execute(f"GRANT INSERT ON {table} TO {role}")
    assert not keys.uses(SYSTEM.scope).exclude(usage="derive").exists()
    assert len(use()) == 2
