"""The field key is rotated: every envelope made anew, both versions readable, the old one retired."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction
from django.db.models import BinaryField

from tests.unit.keys.conftest import FIRST, NOW, SECOND, SYSTEM
from xueka.contexts.couriers.models import Push, Shipment
from xueka.contexts.families.models import CitizenLink, FamilyAccount, Guardianship
from xueka.contexts.interop.models import Difference
from xueka.contexts.keys import api as keys
from xueka.contexts.keys.models import FieldRotation
from xueka.contexts.keys.services import field_keys, platform_keys
from xueka.contexts.multiapp.models import Unit
from xueka.contexts.personalization.models import Run, Session
from xueka.contexts.registry import api as registry
from xueka.contexts.registry.models import Consent, OneRosterPage, StudentBefore
from xueka.contexts.replacements.models import Replacement
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.platform.audit.models import Entry
from xueka.platform.crypto import fields, keyring, sealed_columns
from xueka.platform.crypto.sealed_columns import SealedField
from xueka.platform.database import address
from xueka.platform.database.address import Role
from xueka.platform.exchange.models import Incoming, Outgoing
from xueka.platform.files import services as files
from xueka.platform.files.models import StoredFile
from xueka.platform.identity.models import SecondFactor, User
from xueka.platform.invariants import check
from xueka.platform.mail.models import Incoming as MailIn
from xueka.platform.mail.models import Mail
from xueka.platform.messages.models import Message, Reply

LABEL = "platform.fields"


@pytest.fixture
def own_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key file of this test's own: its versions are nobody else's."""
    monkeypatch.setattr("xueka.platform.database.home.keys_directory", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def town(own_keys: Path, db: None) -> Iterator[None]:
    """People and files whose personal values are sealed, and the keys on record."""
    with clock.at(NOW), transaction.atomic():
        for number in range(7):
            User.objects.create(
                username=f"u{number}", name="试验", created_at=NOW, password_changed_at=NOW,
                envelope=fields.seal({"phone": f"1380000{number:04d}"}) if number else None,
            )  # fmt: skip
        for number in range(3):
            files.store(SYSTEM, f"{number}.txt", "text/plain", f"内容 {number}".encode(), personal=number > 0)
        Message.objects.create(  # told long ago, and emptied
            key="k", template="t", shown_to="", envelope=b"", state="failed", next_at=NOW, expires_at=NOW,
            created_at=NOW, ended_at=NOW,
        )  # fmt: skip
        keys.note_platform_keys(SYSTEM)
        yield


def agreed() -> keys.KeyChange:
    return keys.confirm(SECOND, keys.ask(FIRST, "rotate", LABEL, "每年一次").number)


def heads() -> set[int]:
    rows = [*User.objects.exclude(envelope=None), *StoredFile.objects.filter(sealed=True)]
    found = [bytes(row.envelope if isinstance(row, User) else row.content) for row in rows]
    assert len(found) == 8
    return {int.from_bytes(each[1:3], "big") for each in found}


def phones() -> list[str]:
    kept = User.objects.exclude(envelope=None).order_by("username")
    return [fields.unseal(bytes(user.envelope))["phone"] for user in kept]


def states() -> dict[int, str]:
    return {each.number: each.state for each in keys.key(SYSTEM.scope, LABEL).versions.all()}


def test_every_column_that_is_sealed_is_known() -> None:
    """A model that keeps an envelope in a plain column would be left behind."""
    known = {(each.table, each.column) for each in sealed_columns.sealed_columns()}
    for model, column in (
        (User, "envelope"), (SecondFactor, "envelope"), (StoredFile, "content"), (Session, "values"),
        (registry.Student, "envelope"), (Consent, "given_by"), (Unit, "contacts"), (Run, "commands"),
        (Run, "answers"), (Message, "envelope"), (Guardianship, "envelope"), (FamilyAccount, "envelope"),
        (CitizenLink, "envelope"), (Replacement, "address"), (Outgoing, "envelope"), (Incoming, "raw"),
        (StudentBefore, "envelope"), (Shipment, "address"), (Push, "raw"), (Difference, "envelope"),
        (Reply, "envelope"), (Mail, "envelope"), (MailIn, "envelope"), (MailIn, "raw"),
        (OneRosterPage, "envelope"),
    ):  # fmt: skip
        assert (model._meta.db_table, column) in known
    assert len(known) == 25
    plain = {
        (model._meta.db_table, each.column)
        for model in apps.get_models()
        for each in model._meta.local_concrete_fields
        if isinstance(each, BinaryField) and not isinstance(each, SealedField) and each.max_length is None
    }
    # Not under the field key: key blocks, components under the key in memory, what a channel sent, what the
    # finance office is sent for a receipt (names and amounts, ADR 0013) and its signature.
    receipts = {("receipts_receipt", "draft"), ("receipts_receipt", "signature")}
    assert plain == receipts | {
        ("keys_keyversion", "block"),
        ("keys_keypart", "sealed"),
        ("payments_notice", "raw"),
    }


@pytest.mark.usefixtures("town")
def test_rotated_by_two_people_and_done_piece_by_piece() -> None:
    before = phones()
    done = agreed()
    assert (done.result["version"], done.result["before"]) == (2, 1)
    assert heads() == {1} and keyring.keyring().present == 1  # only agreed so far
    told: list[tuple[str, int]] = []
    assert keys.finish_fields(SYSTEM, lambda column, rows: told.append((column.table, rows))) == 8
    assert told == [("files_storedfile", 2), ("identity_user", 6)]
    assert heads() == {2} and phones() == before
    plain = StoredFile.objects.get(name="0.txt")
    assert (files.read(plain), files.read(StoredFile.objects.get(name="2.txt"))) == (
        "内容 0".encode(),
        "内容 2".encode(),
    )
    assert states() == {1: "retired", 2: "active"}
    new = keys.version(SYSTEM.scope, LABEL, 2)
    assert (new.asked_by, new.confirmed_by, new.change, new.origin) == ("first", "second", done, "generated")
    assert platform_keys.kcv(new) == new.kcv
    task = FieldRotation.objects.get()
    assert (task.total, task.done, task.finished_at) == (8, 8, NOW)
    actions = Entry.objects.filter(object_id=LABEL).order_by("id").values_list("action", flat=True)
    assert list(actions) == ["key.found", "key.ask", "key.confirm", "key.rewrap_start", "key.rewrap_done"]
    assert keys.note_platform_keys(SYSTEM) == 0
    assert keys.finish_fields(SYSTEM) == 0
    assert check(keys.sealed_rows()).violated == 0
    assert [each for each in keys.INVARIANTS if check(each).violated] == []


@pytest.mark.usefixtures("town")
def test_small_pieces_and_a_stop_after_any_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes next goes on; both versions are read meanwhile, and new rows are under the new one."""
    columns = sealed_columns.sealed_columns()
    few = [sealed_columns.SealedColumn(c.table, c.key, c.column, c.when, 2) for c in columns]
    monkeypatch.setattr(sealed_columns, "sealed_columns", lambda: few)
    before = phones()
    agreed()

    class Killed(Exception):
        pass

    def kill(column: sealed_columns.SealedColumn, rows: int) -> None:
        raise Killed

    seen = set()
    for _ in range(3):
        with pytest.raises(Killed), transaction.atomic():
            keys.finish_fields(SYSTEM, kill)
        assert phones() == before and sealed_columns.left() == 8  # the piece that was killed is not kept
        seen |= heads()
    assert (seen, keyring.keyring().present) == ({1}, 2)  # the file is ahead of the record: it was killed
    assert states() == {1: "active"}
    assert keys.note_platform_keys(SYSTEM) == 0  # and nobody takes it for a key that was found
    late = fields.seal({"phone": "13900000000"})
    assert late[2] == 2
    assert keys.finish_fields(SYSTEM) == 8
    assert phones() == before
    assert states() == {1: "retired", 2: "active"}


@pytest.mark.usefixtures("town")
def test_a_row_that_comes_late_under_the_old_version_is_found() -> None:
    """An import holds the keys it began with."""
    old = keyring.keyring()
    agreed()
    with transaction.atomic():
        task = field_keys._made(SYSTEM)
    assert task is not None
    User.objects.filter(username="u0").update(envelope=fields.seal({"phone": "1"}, old))
    assert keys.finish_fields(SYSTEM) == 9
    User.objects.filter(username="u1").update(envelope=fields.seal({"phone": "2"}, old))
    result = check(keys.sealed_rows())
    assert (result.violated, result.examples) == (1, ["identity_user.envelope 1 1"])
    assert fields.unseal(bytes(User.objects.get(username="u1").envelope)) == {"phone": "2"}


@pytest.mark.usefixtures("town")
def test_the_version_before_waits_for_a_transaction_that_began_earlier(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agreed()
    monkeypatch.setattr(field_keys, "_older_work", lambda task: True)
    assert keys.finish_fields(SYSTEM) == 8
    assert states() == {1: "verify_only", 2: "active"}
    with pytest.raises(Refused) as refusal:
        keys.ask(FIRST, "rotate", LABEL, "再一次")
    assert refusal.value.code == "KEY_REWRAP_OPEN"
    monkeypatch.undo()


@pytest.mark.django_db
def test_another_session_that_began_earlier_is_seen() -> None:
    name = connection.settings_dict["NAME"]
    task = FieldRotation(made_at=None)
    with psycopg.connect(**address.parameters(Role.APPLICATION, name)) as other:
        [now] = other.execute("SELECT now()").fetchone() or [None]
        task.made_at = now
        assert not field_keys._older_work(task)
        [later] = other.execute("SELECT clock_timestamp()").fetchone() or [None]
        task.made_at = later
        assert field_keys._older_work(task)


@pytest.mark.usefixtures("town")
def test_nothing_else_is_done_with_keys_of_the_platform() -> None:
    for kind, label in (("rotate", "platform.index"), ("generate", LABEL), ("retire", LABEL)):
        with pytest.raises(Refused) as refusal:
            keys.ask(FIRST, kind, label, "试验", {"version": 1} if kind == "retire" else {})
        assert refusal.value.code == "KEY_OF_FILES"


def consent() -> Consent:
    district, _ = registry.District.objects.get_or_create(code="110101", defaults={"name": "东城区"})
    school = registry.School.objects.create(
        code="2111010001", name="示范小学", district=district, stages=["小学"], address="东门", consignee="室"
    )
    of = registry.SchoolClass.objects.create(school=school, stage="小学", grade=1, name="1班")
    student = registry.Student.objects.create(
        education_id="20260001", name="王一", sort_key="k", sex="男", birth_year=2017, status="在校",
        school=school, school_class=of, envelope=fields.seal({}), row_digest=b"", created_at=NOW,
        updated_at=NOW,
    )  # fmt: skip
    registry.record_consent(SYSTEM, [student.id], "given", "2026-1", "家长", "paper")
    return Consent.objects.get()


@pytest.mark.usefixtures("town")
def test_what_is_never_changed_is_made_anew_too_and_nothing_more() -> None:
    kept = consent()
    agreed()
    assert keys.finish_fields(SYSTEM) == 10
    kept.refresh_from_db()
    assert (bytes(kept.given_by)[2], fields.unseal(bytes(kept.given_by))) == (2, {"name": "家长"})
    longer, same = fields.seal({"name": "另一位"}), fields.seal({"name": "别人"})
    for change in ({"given_by": longer}, {"given_by": same}, {"given_by": b"\x01\x00\x03" + bytes(9)}):
        with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
            Consent.objects.filter(pk=kept.pk).update(**change)
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        Consent.objects.filter(pk=kept.pk).update(action="withdrawn")
