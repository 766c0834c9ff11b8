"""A backup of the test's own database: what is in it, what is not, and what a failure leaves."""

import errno
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import OperationalError, connection

from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict, Forbidden, Refused
from xueka.platform.audit import services as audit
from xueka.platform.backup import configuration, custody, keeper, making, restoring, seals, services
from xueka.platform.backup.models import Run
from xueka.platform.crypto import keyring, sealing
from xueka.platform.database import home
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

pytestmark = pytest.mark.django_db(transaction=True)
WORDS = "correct horse battery"
ADMIN = Actor.in_role("admin", "管理员", "city_admin", Scope("city"))


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Keys and backups of this test; the server stays that of the run."""
    base = tmp_path / "home"
    given = making.address.parameters(making.Role.OWNER, connection.settings_dict["NAME"])
    monkeypatch.setattr(making.address, "parameters", lambda role, database=None: dict(given))
    monkeypatch.setattr(sealing, "COST", 2**10)
    monkeypatch.setattr(home, "home", lambda: base)
    monkeypatch.setattr(home, "keys_directory", lambda: home.private_directory(base / "keys"))
    keyring.Keyring.load_or_create(base / "keys")
    (base / "keys" / "database-owner").write_text("a password of the server")
    yield base


def test_what_is_in_it_and_what_is_not(own_home: Path) -> None:
    audit.record(ADMIN, "test.write", "test", "一个能找到的词")
    made = making.create(seals.by_passphrase(WORDS))
    found = restoring.check(made.path, seals.with_passphrase(WORDS))
    assert found.manifest["tables"]["audit_entry"] == 1
    assert found.manifest["tables"] == made.manifest["tables"]
    assert "keys/fields.json" in found.files
    assert not [name for name in found.files if "database" in name or "backups" in name]
    sealed = made.path.read_bytes()
    keys = keyring.Keyring.load_or_create(own_home / "keys")
    for secret in (keys.index, keys.fields[1]):
        assert secret.hex().encode() not in sealed and secret not in sealed
    for clear in ("一个能找到的词".encode(), WORDS.encode(), b"audit_entry", b"PGDMP", b"password"):
        assert clear not in sealed
    assert made.path.stat().st_mode & 0o077 == 0


def test_backups_lie_in_no_backup(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XUEKA_BACKUP_DIR", str(own_home / "safe"))
    made = making.create(seals.by_passphrase(WORDS))
    assert made.path.parent == own_home / "safe"
    assert not [name for name, _ in making.home_files() if name.startswith("safe")]


def test_a_progress_that_cannot_be_told_keeps_no_backup(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError("the database is away")

    run = Run(id=1)
    monkeypatch.setattr(Run.objects, "filter", away)
    keeper._progress_of(run)(1, 2)


def test_without_the_secret_nothing_is_read() -> None:
    made = making.create(seals.by_passphrase(WORDS))
    with pytest.raises(Refused, match="口令不对"):
        restoring.check(made.path, seals.with_passphrase("something else"))


def test_a_changed_file_is_refused() -> None:
    made = making.create(seals.by_passphrase(WORDS))
    content = bytearray(made.path.read_bytes())
    content[len(content) // 2] ^= 1
    made.path.write_bytes(content)
    with pytest.raises(BadInput) as refused:
        restoring.check(made.path, seals.with_passphrase(WORDS))
    assert refused.value.code == "BACKUP_DAMAGED"
    made.path.write_bytes(bytes(content[: len(content) - 100]))
    with pytest.raises(BadInput):
        restoring.check(made.path, seals.with_passphrase(WORDS))


def test_a_full_disk_leaves_no_half_file(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = making.create(seals.by_passphrase(WORDS))

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Refused) as refused:
        making.create(seals.by_passphrase(WORDS))
    assert refused.value.code == "BACKUP_DISK_FULL"
    assert [path.name for path in good.path.parent.iterdir()] == [good.path.name]


def test_a_dump_that_fails_is_no_backup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making.location, "client_program", lambda name: Path("/bin/false"))
    with pytest.raises(Refused) as refused:
        making.create(seals.by_passphrase(WORDS))
    assert refused.value.code == "BACKUP_FAILED"
    assert services.stored() == []


def test_what_a_killed_one_left_is_cleared(own_home: Path) -> None:
    left = own_home / "backups" / ".xueka-20260101-000000-abcdef.xkb.part"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    making.create(seals.by_passphrase(WORDS))
    assert not left.exists()


def test_two_at_once_are_one_too_many() -> None:
    with making._only_one():
        other = connection.copy()
        try:
            with other.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_lock(%s)", [making._LOCK])
                assert cursor.fetchone() == (False,)
        finally:
            other.close()


def test_the_keeper_makes_what_is_asked_and_what_is_due(own_home: Path) -> None:
    configuration.make_demo_key()
    asked = services.ask(ADMIN, "backup")
    with pytest.raises(Conflict):
        services.ask(ADMIN, "backup")
    assert keeper.look() == asked
    asked.refresh_from_db()
    assert (asked.state, asked.error) == ("done", "")
    scheduled = keeper.look()
    assert scheduled is not None and scheduled.scheduled and scheduled.state == "done"
    assert keeper.look() is None
    assert [each.scheduled for each in services.stored()] == [True, False]
    assert "还没有做过恢复演练：没有演练过的备份不能算数。" in services.overview().warnings


def test_a_scheduled_one_that_fails_is_told_and_tried_later(monkeypatch: pytest.MonkeyPatch) -> None:
    run = keeper.look()  # nothing to seal it to
    assert run is not None and run.state == "failed" and "封存" in run.error
    assert keeper.look() is None
    with clock.at(clock.now() + timedelta(minutes=11)):
        assert keeper.look() is not None


def test_clearing_keeps_the_last_and_what_people_made(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XUEKA_BACKUP_KEEP", "1,0,0")
    by_hand = making.create(seals.by_passphrase(WORDS))
    for hours in (1, 2):
        with clock.at(clock.now() + timedelta(hours=hours)):
            last = making.create(seals.by_passphrase(WORDS), scheduled=True)
    assert len(keeper.clear_old()) == 1
    assert {each.path for each in services.stored()} == {by_hand.path, last.path}


def test_what_was_under_way_when_a_keeper_died_has_failed() -> None:
    run = services.begin(keeper.KEEPER, "backup")
    assert services.give_up_abandoned(keeper.KEEPER) == 1
    assert Run.objects.get(id=run.id).state == "failed"


def test_custodians_are_set_up_once_and_seal_from_then_on(own_home: Path, tmp_path: Path) -> None:
    configuration.make_demo_key()
    assert configuration.key_lies_beside_the_data()
    files = custody.set_up(ADMIN, 2, ["甲", "乙", "丙"], tmp_path / "shares")
    assert not configuration.key_lies_beside_the_data()
    with pytest.raises(Refused):
        custody.set_up(ADMIN, 2, ["甲", "乙", "丙"], tmp_path / "shares")
    made = making.create(configuration.standing_seal())
    shares = [file.read_text() for file in files]
    assert restoring.check(made.path, seals.with_shares(shares[1:])).manifest["tables"]
    stored = (own_home / "keys" / "backup-custody.json").read_text()
    assert not [word for share in shares for word in share.split()[5:8] if word in stored]
    with pytest.raises(Forbidden):
        custody.set_up(Actor.in_role("x", "x", "auditor", Scope("city")), 2, ["甲", "乙"], tmp_path / "more")
