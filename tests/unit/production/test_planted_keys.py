"""Every key that exists while cards are made is watched; afterwards none of them is found anywhere.

Looked at are all rows of all tables (stored packages among them), everything logged and printed, and every
file of the store: as the bytes they are, in hexadecimal and in base64.
"""

import base64
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection, transaction

from tests.unit.production.conftest import FIRST, KIND, SECOND, Line
from xueka.contexts.keys import api as keys
from xueka.contexts.keys.adapters.software_store import SoftwareStore
from xueka.contexts.keys.services import batches, stores
from xueka.contexts.production import api as production
from xueka.contexts.production import jobs
from xueka.kernel.errors import XuekaError
from xueka.platform.audit import services as audit
from xueka.platform.crypto import card_batches, sealing
from xueka.platform.crypto.card_ciphers import CardKey
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

OPERATOR = Actor.in_role("operator", "运营", "city_operator", Scope("city"))
ADF = [f"education.adf.{name}" for name in ("control", "internal", "external")]
BLANK = b"\xff" * 16  # the one key that is public


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[bytes]]:
    """Every key value that passes: made, imported, derived for a card or a batch, or wrapping a batch."""
    found: set[bytes] = set()
    keep, begin, many, taken = (
        SoftwareStore._keep,
        CardKey.__init__,
        card_batches.diversify_many,
        batches._taken,
    )

    def watch_keep(self, spec, value, under):  # type: ignore[no-untyped-def]
        found.add(value)
        return keep(self, spec, value, under)

    def watch_card(self, value, **more):  # type: ignore[no-untyped-def]
        found.add(bytes(value))
        begin(self, value, **more)

    def watch_many(alg, key, factors):  # type: ignore[no-untyped-def]
        made = many(alg, key, factors)
        found.update(made[place : place + 16] for place in range(0, len(made), 16))
        return made

    def watch_taken(store, subject, value, beside):  # type: ignore[no-untyped-def]
        found.add(value)
        return taken(store, subject, value, beside)

    monkeypatch.setattr(SoftwareStore, "_keep", watch_keep)
    monkeypatch.setattr(CardKey, "__init__", watch_card)
    monkeypatch.setattr(card_batches, "diversify_many", watch_many)
    monkeypatch.setattr(batches, "_taken", watch_taken)
    yield found
    found.discard(BLANK)


def traces(secrets: set[bytes], places: dict[str, bytes]) -> list[str]:
    """Where any of the secrets shows, in any of its spellings."""
    spelt = set()
    for secret in secrets:
        spelt |= {secret, secret.hex().encode(), base64.b64encode(secret)[:20], repr(secret)[2:-1].encode()}
    return [name for name, content in places.items() for each in spelt if each in content]


def tables() -> dict[str, bytes]:
    """All rows of all tables as text, bytea in hexadecimal."""
    found = {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (name,) in cursor.fetchall():
            cursor.execute(f'SELECT string_agg(t::text, chr(10)) FROM "{name}" t')
            found[name] = (cursor.fetchone()[0] or "").lower().encode()
            cursor.execute(f'SELECT string_agg(t::text, chr(10)) FROM "{name}" t')
            found[f"{name} as it is"] = (cursor.fetchone()[0] or "").encode()
    return found


def test_no_key_is_left_anywhere(
    made_line: Line,
    seen: set[bytes],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(sealing, "COST", 2**10)
    monkeypatch.setenv("XUEKA_KEYS_RUNTIME", str(tmp_path))
    monkeypatch.setattr(stores, "root", lambda: tmp_path / "keys")
    keys.make_demo_keys()
    store = stores.named("software")
    assert isinstance(store, SoftwareStore)
    store.local.reseal_to_passphrase("correct horse battery")
    seen.discard(BLANK)
    made_before = len(seen)
    assert made_before > 15

    for transport in ("SM2", "transport.bureau"):
        masters = [{"label": label, "factor": "card_number"} for label in ADF]
        plan = {"way": "file", "transport": transport, "masters": masters}
        entered = production.enter_delivery(FIRST, KIND, plan)
        production.confirm_delivery(SECOND, KIND, entered.digest)
        assert made_line.ready(4).state == "ready"
    cards = keys.card_keys(OPERATOR, [(label, None) for label in ADF], [bytes(8)], purpose="x", subject="C1")
    print([repr(card) for card in cards], cards, store)
    logging.getLogger("xueka.test").error("keys %s of %r", cards, store, extra={"card": cards[0]})
    with transaction.atomic():
        first = Actor.in_role("k-a", "甲", "key_custodian", Scope("city"))
        second = Actor.in_role("k-b", "乙", "key_custodian", Scope("city"))
        keys.confirm(second, keys.ask(first, "rotate", ADF[0], "按计划", {}).number)
        keys.confirm(second, keys.ask(first, "rotate", "kek.card", "按计划", {}).number)
    keys.finish_rewrapping(second)

    # What fails in the middle says what it was about, and no more.
    monkeypatch.setattr(card_batches, "kcvs", lambda alg, values: 1 / 0)
    made_line.approved(2)
    jobs.build_packages()
    with pytest.raises(XuekaError):
        store.diversify(keys.StoredKey("software", "", b"1" * 40, "000000", None), [bytes(8)])

    seen.discard(BLANK)
    assert len(seen) > made_before + 2 * 4 * 3
    printed = "".join(capfd.readouterr()) + caplog.text
    assert "CardKey('education.adf.control', version=1" in printed
    assert "ZeroDivisionError" in printed
    files = {str(path): path.read_bytes() for path in (tmp_path / "keys").rglob("*") if path.is_file()}
    assert any(name.endswith("local.json") for name in files)
    places = {**tables(), "printed": printed.encode(), "printed in hex": printed.lower().encode(), **files}
    assert len(places) > 100
    assert traces(seen, places) == []

    # The search finds what is there.
    secret = sorted(seen)[0]
    audit.record(OPERATOR, "test.leak", "test", "x", detail={"key": secret.hex()})
    assert "audit_entry" in traces({secret}, tables())
