"""Key bytes of a known pattern are brought in and used; they are found nowhere in clear.

Looked through: a plain dump of the database, every file of the home, what was logged and printed, a backup.
"""

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from django.db import connection, transaction

from tests.unit.keys.conftest import LEADER, NOW, OPERATOR, SECOND, SYSTEM, changed
from xueka.contexts.keys import api as keys
from xueka.contexts.keys.services import keeping, stores
from xueka.contexts.keys.services.demo import Players
from xueka.kernel import clock
from xueka.platform.audit import chain
from xueka.platform.backup import making, seals
from xueka.platform.crypto import card_ciphers
from xueka.platform.database import home, location

PLANTED = bytes.fromhex("c0ffee11decade22c0ffee33decade44")
FACTOR = bytes.fromhex("1122334455667788")
CARD = card_ciphers.diversify("3des", PLANTED, FACTOR)
MASK = bytes(range(16, 32))
PARTS = (MASK, bytes(a ^ b for a, b in zip(MASK, PLANTED, strict=True)))
WORDS = "a passphrase of the test"
PLAN = {
    "title": "试验", "threshold": 2, "led_by": "leader", "reviewed_by": "second",
    "custodians": [{"username": name, "name": name} for name in ("anne", "bert")],
    "keys": [
        {"label": "local", "title": "本地", "kind": "local", "algorithm": "sm4", "usages": ["wrap"]},
        {"label": "kek", "title": "保护", "kind": "kek", "algorithm": "sm4", "usages": ["wrap"],
         "parent": "local"},
        {"label": "planted", "title": "埋下的", "kind": "control", "algorithm": "3des", "parent": "kek",
         "usages": ["diversify", "export"], "how": "components", "components": 2,
         "kcv": card_ciphers.kcv("3des", PLANTED)},
        {"label": "batch", "title": "批次", "kind": "batch", "algorithm": "sm4", "usages": ["wrap"],
         "parent": "kek"},
        {"label": "partner", "title": "卡厂", "kind": "partner", "algorithm": "sm4", "usages": ["wrap"],
         "parent": "kek"},
    ],
}  # fmt: skip


class People(Players):
    def component(self, person: keys.Person, label: str, size: int) -> tuple[str, str]:
        part = PARTS[0] if person.username == "anne" else PARTS[1]
        return part.hex(), card_ciphers.kcv("3des", part)


def forms(secret: bytes) -> list[bytes]:
    """The bytes as they might be written down."""
    text = secret.hex()
    spaced = " ".join(text[place : place + 2] for place in range(0, len(text), 2))
    return [
        secret,
        *(each.encode() for each in (text, text.upper(), spaced, spaced.upper())),
        base64.b64encode(secret).rstrip(b"=")[:-1],
        repr(secret).encode()[2:-1],
    ]


@pytest.fixture
def own_home(tmp_path: Path, transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    base = tmp_path / "home"
    given = making.address.parameters(making.Role.OWNER, connection.settings_dict["NAME"])
    monkeypatch.setattr(making.address, "parameters", lambda role, database=None: dict(given))
    monkeypatch.setattr(home, "home", lambda: base)
    monkeypatch.setattr(home, "keys_directory", lambda: home.private_directory(base / "keys"))
    monkeypatch.setattr(stores, "root", lambda: base / "keys")
    (tmp_path / "memory").mkdir()
    monkeypatch.setenv("XUEKA_KEYS_RUNTIME", str(tmp_path / "memory"))
    with clock.at(NOW):
        yield base


def dumped() -> bytes:
    where = making.address.parameters(making.Role.OWNER)
    command = [str(location.client_program("pg_dump")), "--format=plain", f"--dbname={_conninfo(where)}"]
    return subprocess.run(
        command, capture_output=True, check=True, env={"PGPASSWORD": where["password"]}
    ).stdout


def _conninfo(where: dict[str, str]) -> str:
    return making.psycopg.conninfo.make_conninfo(**{k: v for k, v in where.items() if k != "password"})


def test_nothing_is_found_anywhere(own_home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with structlog.testing.capture_logs() as logged:
        with transaction.atomic():
            plan = keys.read_plan(json.dumps(PLAN))
            keys.hold_ceremony(LEADER, SECOND, plan, People(), lambda person, code: True)
        with transaction.atomic():
            [key] = keys.card_keys(OPERATOR, [("planted", None)], [FACTOR], purpose="x", subject="C1")
            keys.batch_keys(OPERATOR, ["planted"], FACTOR, "batch", purpose="x", subject="B1")
        assert key.encrypt(bytes(8)) == card_ciphers.encrypt("3des", CARD, bytes(8))  # it is the planted one
        transport = keeping.stored(keys.version(SYSTEM.scope, "partner", 1))
        block = stores.named("software").export_block(
            keeping.stored(keys.version(SYSTEM.scope, "planted", 1)), transport
        )
        given = {"block": block.decode(), "kcv": card_ciphers.kcv("3des", PLANTED), "under": "partner"}
        changed("import", "planted", **given)
        changed("rotate", "kek")
        keys.finish_rewrapping(SYSTEM)
        chain.seal()
        made = making.create(seals.by_passphrase(WORDS), folder=own_home.parent / "backups")
        print(repr(key), key)
    places = {
        "database": dumped(),
        "logs": json.dumps(logged, default=repr).encode() + "".join(capfd.readouterr()).encode(),
        "backup": made.path.read_bytes(),
        **{str(path): path.read_bytes() for path in own_home.rglob("*") if path.is_file()},
    }
    assert b"planted" in places["database"] and b"kek" in places["logs"] + places["database"]
    assert any(name.endswith("local.json") for name in places)
    found = [
        (place, name)
        for place, content in places.items()
        for name, secret in (("master", PLANTED), ("card", CARD), ("component", PARTS[1]))
        for form in forms(secret)
        if form in content
    ]
    assert found == []


def test_the_search_finds_what_it_looks_for() -> None:
    for form in forms(PLANTED):
        assert len(form) > 12
    assert PLANTED.hex().encode() in forms(PLANTED) and PLANTED in forms(PLANTED)
