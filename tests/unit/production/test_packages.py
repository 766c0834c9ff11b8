"""The production file: stored before anything leaves, built once, sent until it is through."""

import io
import json
import zipfile
from datetime import timedelta

import psycopg
import pytest
from django.db import connection, transaction

from tests.unit.production.conftest import (
    OTHER,
    SECOND,
    Line,
    card_states,
    fresh,
    the_package,
)
from xueka.contexts.production import api as production
from xueka.contexts.production import jobs
from xueka.contexts.production.adapters import partner_keys
from xueka.contexts.production.models import InboxFile, Package, Partner, Problem
from xueka.contexts.production.services import packages
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.platform.audit.models import Entry
from xueka.platform.database import address
from xueka.platform.database.address import Role
from xueka.platform.files import services as files


def test_the_file_is_stored_with_its_promise(made_line: Line) -> None:
    batch = made_line.ready(3)
    package = the_package(batch)
    assert (batch.state, package.state, package.attempt) == ("ready", "stored", 1)
    assert package.file.name == f"XKP_{batch.number}_1.zip"
    with zipfile.ZipFile(io.BytesIO(files.read(package.file))) as archive:
        raw = archive.read("manifest.json")
        signature = archive.read("manifest.sig")
    said = json.loads(raw)
    assert partner_keys.signing_key().public.verify(signature, raw)
    assert (said["batch"], said["counts"]["records"], said["face"]["template"]) == (
        batch.number,
        3,
        "BJT-STD",
    )
    assert Entry.objects.filter(action="batch.build", object_id=batch.number).exists()


def test_a_second_build_makes_nothing(made_line: Line) -> None:
    batch = made_line.ready(1)
    before = bytes(the_package(batch).file.sm3)
    jobs.build_packages()
    assert packages.build(jobs.WORKER, batch.id) is None
    assert [bytes(found.file.sm3) for found in Package.objects.all()] == [before]


def test_a_file_that_cannot_be_built_says_why_and_the_batch_can_be_given_up(made_line: Line) -> None:
    batch = made_line.approved(2)
    registry.Student.objects.update(name="王\ue000")
    jobs.build_packages()
    assert "制卡文件格式" in fresh(batch).build_error
    assert Package.objects.count() == 0
    production.dissolve(SECOND, batch.id, "数据待更正")
    assert card_states(batch) == ["void", "void"]


def test_a_build_that_failed_is_tried_again(made_line: Line) -> None:
    batch = made_line.approved(1)
    Partner.objects.update(in_use=False)
    jobs.build_packages()
    assert "卡厂" in fresh(batch).build_error
    Partner.objects.update(in_use=True)
    jobs.build_packages()
    assert (fresh(batch).state, fresh(batch).build_error) == ("ready", "")


def test_sending_marks_the_package_and_the_batch(made_line: Line) -> None:
    batch = made_line.sent(1)
    package = the_package(batch)
    assert (batch.state, package.state, package.tries) == ("sent", "sent", 1)
    assert made_line.bureau.received == {package.file.name: files.read(package.file)}
    jobs.send_packages()
    assert made_line.bureau.uploads == 1


def test_a_crash_after_the_transfer_sends_the_same_bytes_again(made_line: Line) -> None:
    batch = made_line.ready(1)
    made_line.bureau.lost = True
    jobs.send_packages()
    first = dict(made_line.bureau.received)
    assert (fresh(batch).state, the_package(batch).state) == ("ready", "stored")
    made_line.bureau.lost = False
    with clock.at(clock.now() + timedelta(minutes=1)):
        jobs.send_packages()
    assert made_line.bureau.received == first
    assert (made_line.bureau.uploads, fresh(batch).state) == (2, "sent")


def test_failures_wait_longer_each_time_and_tell_the_operator(made_line: Line) -> None:
    batch = made_line.ready(1)
    made_line.bureau.broken = True
    moment = clock.now()
    waits = []
    for _ in range(3):
        with clock.at(moment):
            jobs.send_packages()
            package = the_package(batch)
            waits.append(int((package.next_try_at - moment).total_seconds()))
            jobs.send_packages()  # not due yet: nothing happens
            assert the_package(batch).tries == package.tries
        moment = package.next_try_at
    assert waits == [5, 10, 20]
    assert package.last_error == "连不上卡厂服务器。系统会自动重试。"
    assert packages.pause_after(100) == timedelta(minutes=5)
    made_line.bureau.broken = False
    with clock.at(moment):
        jobs.send_packages()
    assert (the_package(batch).last_error, the_package(batch).tries) == ("", 4)


def test_a_stored_file_that_was_altered_never_leaves_and_stops_no_other(made_line: Line) -> None:
    altered, sound = made_line.ready(1), made_line.ready(1)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE files_storedfile SET content = 'x' WHERE id = %s", [the_package(altered).file_id]
        )
    jobs.send_packages()
    assert (fresh(altered).state, fresh(sound).state) == ("ready", "sent")
    assert "摘要不符" in the_package(altered).last_error
    assert list(made_line.bureau.received) == [f"XKP_{sound.number}_1.zip"]


@pytest.mark.django_db(transaction=True)
def test_a_batch_that_somebody_works_on_is_left_to_them(made_line: Line) -> None:
    with transaction.atomic():
        batch = made_line.approved(1)
    name = connection.settings_dict["NAME"]
    with psycopg.connect(**address.parameters(Role.APPLICATION, name)) as other:
        other.execute("SELECT 1 FROM production_batch WHERE id = %s FOR UPDATE", [batch.id])
        jobs.build_packages()
        assert fresh(batch).state == "approved"
    jobs.build_packages()
    assert fresh(batch).state == "ready"


def test_acknowledged(made_line: Line) -> None:
    batch = made_line.acknowledged(2)
    package = the_package(batch)
    assert (batch.state, package.state, package.acknowledgement["records"]) == ("acknowledged", "accepted", 2)
    [taken] = InboxFile.objects.all()
    assert (taken.outcome, taken.name) == ("acknowledged", f"XKA_{batch.number}_1.json")
    jobs.poll_bureau()
    assert InboxFile.objects.count() == 1


def test_said_again_changes_nothing(made_line: Line) -> None:
    batch = made_line.acknowledged(1)
    made_line.bureau.acknowledge(batch, repeat=True)
    jobs.poll_bureau()
    assert [found.outcome for found in InboxFile.objects.all()] == ["repeated", "acknowledged"]
    assert Problem.objects.count() == 0


def test_refused_bounces_with_the_reason_and_the_next_attempt_is_a_new_package(made_line: Line) -> None:
    batch = made_line.sent(1)
    made_line.bureau.refuse(batch)
    jobs.poll_bureau()
    assert fresh(batch).state == "bounced"
    said = the_package(batch).acknowledgement
    assert (said["code"], said["message"]) == ("FACE", "卡面版式未登记")
    production.rebuild(SECOND, batch.id)
    jobs.sweep()
    package = the_package(batch)
    assert (fresh(batch).state, package.attempt) == ("sent", 2)
    assert package.file.name == f"XKP_{batch.number}_2.zip"
    made_line.bureau.acknowledge(batch, 2)
    jobs.poll_bureau()
    assert fresh(batch).state == "acknowledged"
    assert card_states(batch) == ["ordered"]


def test_a_file_larger_than_any_is_told_once(made_line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = made_line.sent(1)
    monkeypatch.setattr(jobs, "SIZE_LIMIT", 100)
    made_line.bureau.leave(f"XKR_{batch.number}_1.zip", b"x" * 101)
    made_line.bureau.leave("holiday.mp4", b"x" * 101)
    for _ in range(2):
        jobs.poll_bureau()
    assert {problem.batch for problem in Problem.objects.all()} == {batch, None}
    assert {problem.detail["code"] for problem in Problem.objects.all()} == {"BUREAU_FILE_TOO_LARGE"}
    assert [found.outcome for found in InboxFile.objects.all()] == ["refused"] * 2
    monkeypatch.setattr(jobs, "SIZE_LIMIT", 10**6)
    made_line.bureau.acknowledge(batch)
    jobs.poll_bureau()
    assert fresh(batch).state == "acknowledged"


def test_a_bounced_batch_may_be_given_up(made_line: Line) -> None:
    batch = made_line.sent(2)
    made_line.bureau.refuse(batch)
    jobs.poll_bureau()
    production.dissolve(SECOND, batch.id, "改用其他版式")
    assert (fresh(batch).state, card_states(batch)) == ("dissolved", ["void", "void"])


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"key": OTHER, "signer": OTHER.public.fingerprint}, "ACK_SIGNATURE"),
        ({"sm3": "0" * 64}, "ACK_DIGEST"),
        ({"package": 2, "file": "XKP_B26-00001_2.zip"}, "ACK_PACKAGE"),
    ],
)
def test_an_acknowledgement_that_proves_nothing_changes_nothing_and_is_reported(
    made_line: Line, changed: dict, code: str
) -> None:
    batch = made_line.sent(1)
    made_line.bureau.acknowledge(batch, **changed)
    jobs.poll_bureau()
    assert (fresh(batch).state, the_package(batch).state) == ("sent", "sent")
    [problem] = Problem.objects.all()
    assert (problem.kind, problem.detail["code"], problem.batch) == ("refused_file", code, batch)
    jobs.poll_bureau()
    assert Problem.objects.count() == 1


def test_the_bureau_cannot_take_its_word_back(made_line: Line) -> None:
    batch = made_line.acknowledged(1)
    made_line.bureau.refuse(batch, code="OTHER")
    jobs.poll_bureau()
    assert fresh(batch).state == "acknowledged"
    assert Problem.objects.get().detail["code"] == "ACK_CONTRADICTION"


def test_an_acknowledgement_of_nothing_we_sent_is_reported(made_line: Line) -> None:
    batch = made_line.sent(1)
    made_line.bureau.acknowledge(batch, 7)
    made_line.bureau.acknowledge(type("B", (), {"number": "B99-99999", "card_count": 1})())
    jobs.poll_bureau()
    assert {problem.batch for problem in Problem.objects.all()} == {batch, None}
    assert fresh(batch).state == "sent"


def test_an_answer_that_outruns_our_own_mark_waits(made_line: Line) -> None:
    """The sender was killed after the transfer: the bureau answers a package that is not marked as sent."""
    batch = made_line.ready(1)
    made_line.bureau.lost = True
    jobs.send_packages()
    made_line.bureau.lost = False
    made_line.bureau.acknowledge(batch)
    jobs.poll_bureau()
    assert (fresh(batch).state, InboxFile.objects.count()) == ("ready", 0)
    with clock.at(clock.now() + timedelta(minutes=1)):
        jobs.sweep()
    assert fresh(batch).state == "acknowledged"


def test_a_poll_that_fails_waits_and_tells(made_line: Line) -> None:
    batch = made_line.sent(1)
    made_line.bureau.acknowledge(batch)
    made_line.bureau.broken = True
    jobs.poll_bureau()
    partner = Partner.objects.get()
    assert (partner.failures, partner.last_error) == (1, "连不上卡厂服务器。系统会自动重试。")
    made_line.bureau.broken = False
    jobs.poll_bureau()
    assert fresh(batch).state == "sent"
    with clock.at(partner.next_try_at):
        jobs.poll_bureau()
    assert fresh(batch).state == "acknowledged"
    assert Partner.objects.get().failures == 0


def test_files_with_other_names_are_ignored_and_listed(made_line: Line) -> None:
    made_line.bureau.leave("readme.txt", b"hello")
    jobs.poll_bureau()
    jobs.poll_bureau()
    [taken] = production.inbox(SECOND.scope)
    assert (taken.name, taken.outcome) == ("readme.txt", "ignored")


def test_a_file_that_cannot_be_taken_does_not_keep_others_waiting(
    made_line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xueka.contexts.production.services import inbox
    from xueka.kernel.errors import Conflict

    first, second = made_line.sent(1), made_line.sent(1)
    for batch in (first, second):
        made_line.bureau.acknowledge(batch)
    real = inbox.take

    def take(actor: object, file: object, content: bytes) -> str:
        if first.number in file.name:
            raise Conflict("BUSY", "正忙")
        return real(actor, file, content)

    monkeypatch.setattr(inbox, "take", take)
    with pytest.raises(Conflict):
        jobs.poll_bureau()
    assert (fresh(first).state, fresh(second).state) == ("sent", "acknowledged")
    monkeypatch.undo()
    monkeypatch.setattr(jobs, "_connect", made_line.bureau.connect)
    jobs.poll_bureau()
    assert fresh(first).state == "acknowledged"
