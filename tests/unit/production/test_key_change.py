"""The bureau's keys change while packages and return files are on their way."""

import io
import json
import zipfile
from datetime import timedelta

import psycopg
import pytest
from django.db import connection, transaction

from tests.unit.production.conftest import (
    ENCRYPTION,
    OTHER,
    SECOND,
    SIGNING,
    Line,
    fresh,
    items,
    line,
    the_package,
)
from xueka.contexts.production import api as production
from xueka.contexts.production import jobs
from xueka.contexts.production.models import Batch, Package, ReturnFile
from xueka.kernel import clock
from xueka.platform.audit.models import Entry
from xueka.platform.crypto.sm2 import PrivateKey
from xueka.platform.database import address
from xueka.platform.database.address import Role

NEXT = PrivateKey.generate()


def recipient(content: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return str(json.loads(archive.read("manifest.json"))["recipient"])


def lost_on_the_way(made_line: Line) -> Batch:
    """A package that was handed over once, and nobody knows whether it arrived."""
    batch = made_line.ready(1)
    made_line.bureau.lost = True
    jobs.send_packages()
    made_line.bureau.lost = False
    assert the_package(batch).started_at is not None
    return fresh(batch)


def send_later() -> None:
    with clock.at(clock.now() + timedelta(minutes=10)):
        jobs.send_packages()


def test_a_package_names_the_keys_it_was_made_for(made_line: Line) -> None:
    batch = made_line.ready(1)
    keys = the_package(batch).keys
    assert (keys.partner_id, keys.encryption_fingerprint) == ("bureau", ENCRYPTION.public.fingerprint)
    assert keys.signing_fingerprint == SIGNING.public.fingerprint


@pytest.mark.parametrize("code", ["bureau", "another"])
def test_a_package_that_never_left_is_made_anew(made_line: Line, code: str) -> None:
    batch = made_line.ready(2)
    before = the_package(batch)
    made_line.new_keys(OTHER, NEXT, code)
    jobs.send_packages()
    after = the_package(batch)
    assert (after.attempt, fresh(batch).state, after.keys.partner_id) == (1, "sent", code)
    assert after.file_id != before.file_id
    [(name, content)] = made_line.bureau.received.items()
    assert (name, recipient(content)) == (before.file.name, NEXT.public.fingerprint)
    assert Entry.objects.filter(action="batch.renew", object_id=batch.number).count() == 1


def test_one_that_may_have_arrived_goes_out_as_it_is_to_the_same_bureau(made_line: Line) -> None:
    batch = lost_on_the_way(made_line)
    before = dict(made_line.bureau.received)
    made_line.new_keys(OTHER, NEXT)
    send_later()
    assert (fresh(batch).state, made_line.bureau.received) == ("sent", before)
    made_line.bureau.acknowledge(batch, key=OTHER, signer=OTHER.public.fingerprint, code="KEY",
                                 result="refused", message="", records=None)  # fmt: skip
    jobs.poll_bureau()
    assert fresh(batch).state == "bounced"
    production.rebuild(SECOND, batch.id)
    jobs.sweep()
    assert recipient(made_line.bureau.received[f"XKP_{batch.number}_2.zip"]) == NEXT.public.fingerprint


def test_one_that_may_have_arrived_never_goes_to_another_bureau(made_line: Line) -> None:
    batch = lost_on_the_way(made_line)
    made_line.new_keys(OTHER, NEXT, "another")
    send_later()
    package = the_package(batch)
    assert (fresh(batch).state, package.state, made_line.bureau.uploads) == ("bounced", "refused", 1)
    assert package.acknowledgement["code"] == "PARTNER_CHANGED"
    assert "请先向样例卡厂 bureau核实" in package.acknowledgement["message"]
    production.rebuild(SECOND, batch.id)
    jobs.sweep()
    assert (fresh(batch).state, the_package(batch).attempt) == ("sent", 2)


def test_a_bureau_that_was_retired_meanwhile_gets_nothing(made_line: Line) -> None:
    batch = made_line.ready(1)
    former = production.Partner.objects.get(code="bureau")
    made_line.new_keys(OTHER, NEXT, "another")
    jobs._send(the_package(batch).id, former, made_line.bureau)
    assert (fresh(batch).state, made_line.bureau.uploads) == ("ready", 0)


@pytest.mark.parametrize("code", ["bureau", "another"])
def test_what_was_under_way_is_judged_by_the_keys_of_then(made_line: Line, code: str) -> None:
    batch = made_line.sent(1)
    made_line.new_keys(OTHER, NEXT, code)
    made_line.bureau.acknowledge(batch)
    jobs.poll_bureau()
    assert fresh(batch).state == "acknowledged"
    assert made_line.take(batch, [line(items(batch)[0])]).matched == 1
    assert ReturnFile.objects.get().keys.signing_fingerprint == SIGNING.public.fingerprint


def test_the_same_bureau_may_sign_with_its_new_key(made_line: Line) -> None:
    batch = made_line.acknowledged(1)
    made_line.new_keys(OTHER, NEXT)
    report = made_line.take(batch, [line(items(batch)[0])], key=OTHER)
    assert report.matched == 1
    assert ReturnFile.objects.get().keys.signing_fingerprint == OTHER.public.fingerprint


def test_another_bureau_cannot_answer_for_it(made_line: Line) -> None:
    batch = made_line.acknowledged(1)
    made_line.new_keys(OTHER, NEXT, "another")
    report = made_line.take(batch, [line(items(batch)[0])], key=OTHER)
    assert [error["code"] for error in report.errors] == ["RETURN_SIGNATURE"]


def test_a_former_key_says_nothing_of_what_was_made_for_the_next(made_line: Line) -> None:
    made_line.new_keys(OTHER, NEXT)
    batch = made_line.sent(1)
    made_line.bureau.acknowledge(batch)
    jobs.poll_bureau()
    assert fresh(batch).state == "sent"
    report = made_line.take(batch, [line(items(batch)[0])])
    assert [error["code"] for error in report.errors] == ["RETURN_SIGNATURE"]


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_a_transfer(made_line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the bytes travel the intent is stored, the batch is free, and no transaction is open."""
    with transaction.atomic():
        batch = made_line.approved(1)
    jobs.build_packages()
    seen = []
    upload = made_line.bureau.upload

    def slow(name: str, content: bytes) -> None:
        with psycopg.connect(
            **address.parameters(Role.APPLICATION, connection.settings_dict["NAME"])
        ) as other:
            other.execute("SELECT 1 FROM production_batch WHERE id = %s FOR UPDATE NOWAIT", [batch.id])
            seen.extend(other.execute("SELECT state, started_at IS NOT NULL FROM production_package"))
        assert not connection.in_atomic_block
        upload(name, content)

    monkeypatch.setattr(made_line.bureau, "upload", slow)
    jobs.send_packages()
    assert seen == [("stored", True)]
    assert (fresh(batch).state, Package.objects.get().state) == ("sent", "sent")
