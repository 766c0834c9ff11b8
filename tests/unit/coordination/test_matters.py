"""Matters with the counterpart groups: due days, steps, files; what is wrong is caught."""

import io
import zipfile
from datetime import date, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from tests.support.machines import assert_every_pair
from xueka.contexts.coordination import api as coordination
from xueka.contexts.coordination.adapters import attachments
from xueka.contexts.coordination.models import Attachment, Line, Matter
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.platform.audit.models import Entry
from xueka.platform.files.models import StoredFile
from xueka.platform.history import services as history
from xueka.platform.identity import services as identity
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope
from xueka.platform.invariants import check

pytestmark = pytest.mark.django_db
ACTOR = Actor.in_role("operator", "王芳", "city_operator", Scope("city"))
SCOPE = ACTOR.scope
PDF = b"%PDF-1.7 a letter"
#: The Friday before the National Day holiday of 2026 (1 to 7 October; 10 October is worked).
FRIDAY = datetime(2026, 9, 25, 10, tzinfo=clock.SHANGHAI)


def opened(party: str = "transit", kind: str = "schedule", **more: str) -> Matter:
    return coordination.open_matter(ACTOR, party, kind, "十月排产", **more)


def test_it_is_due_in_working_days_and_the_days_are_configuration(settings: object) -> None:
    with clock.at(FRIDAY):
        found = opened()
        assert found.due_on == date(2026, 10, 9)  # 28, 29, 30 September; 8, 9 October
        plain = coordination.days_for("transit", "schedule")
        settings.COORDINATION_DAYS = {"transit.schedule": 1}  # type: ignore[attr-defined]
        sooner = opened()
    assert plain == 5 and sooner.due_on < found.due_on
    assert found.number.startswith("XT26-") and found.owner == "operator"


@pytest.mark.parametrize(
    ("kind", "name"),
    [("card", "1000751"), ("batch", "B9"), ("interface", "moon"), ("difference", "7"), ("difference", "x"),
     ("message", "out:7"), ("message", "up:7"), ("message", "7"), ("parcel", "YJ1")],
)  # fmt: skip
def test_what_it_is_about_has_to_be_there(kind: str, name: str) -> None:
    with pytest.raises(BadInput) as unknown:
        opened(about_kind=kind, about=name)
    assert unknown.value.code == "ABOUT_UNKNOWN" and unknown.value.found == name
    assert not Matter.objects.exists()


def test_a_year_without_notice_is_counted_by_weekdays_and_says_so() -> None:
    with clock.at(datetime(2031, 12, 30, 10, tzinfo=clock.SHANGHAI)):
        found = opened()
    assert found.due_on == date(2032, 1, 6)
    assert "推算" in coordination.file_of(found)[0].text


def test_from_the_question_to_the_end_with_everything_on_file() -> None:
    identity.create_user(Actor.system("test"), "second", "冯杰", "city_operator")
    found = opened(about_kind="interface", about="sms", text="请确认")
    coordination.step(ACTOR, found.id, "ask", "发函")
    coordination.note(ACTOR, found.id, "电话催问")
    coordination.attach(ACTOR, found.id, "函.pdf", PDF)
    coordination.step(ACTOR, found.id, "answer", "下周一")
    assert coordination.pressing(SCOPE) == 1
    coordination.step(ACTOR, found.id, "ask", "周一太晚")
    coordination.assign(ACTOR, found.id, "second")
    coordination.set_due(ACTOR, found.id, found.due_on + timedelta(days=7), "对方放假")
    done = coordination.step(ACTOR, found.id, "finish", "已到货")
    assert [each.kind for each in coordination.file_of(done)] == [
        "due", "step", "note", "file", "step", "step", "owner", "due", "step",
    ]  # fmt: skip
    assert coordination.about(SCOPE, "interface", "sms") == [done] and done.owner == "second"
    with pytest.raises(Refused):
        coordination.assign(ACTOR, found.id, "second")
    assert [each.name for each in coordination.INVARIANTS if check(each).violated] == []
    assert all(check(each).checked for each in coordination.INVARIANTS)


def test_a_file_lies_sealed_on_file_and_every_hand_on_it_is_on_record() -> None:
    found = opened()
    made = coordination.attach(ACTOR, found.id, "C:\\函\\排产 函.PDF", PDF, "盖章件")
    coordination.step(ACTOR, found.id, "finish", "已办")
    coordination.attach(ACTOR, found.id, "说明.txt", "李雨桐".encode("gb18030"))  # also after the end
    assert [each.text for each in coordination.file_of(found) if each.kind == "file"] == [
        "排产 函.pdf：盖章件", "说明.txt",
    ]  # fmt: skip
    assert [each.file.name for each in coordination.attachments_of(found)] == ["排产 函.pdf", "说明.txt"]
    kept = StoredFile.objects.get(id=made.file_id)
    assert kept.sealed and PDF not in bytes(kept.content)
    assert coordination.read_attachment(ACTOR, found.number, made.id) == ("排产 函.pdf", PDF)
    said = Entry.objects.filter(object_id=found.number, action__in=["matter.attach", "matter.download"])
    assert list(said.order_by("id").values_list("action", "detail__file")) == [
        ("matter.attach", "排产 函.pdf"), ("matter.attach", "说明.txt"), ("matter.download", "排产 函.pdf"),
    ]  # fmt: skip
    assert [each.name for each in coordination.INVARIANTS if check(each).violated] == []

    other = opened()
    with pytest.raises(NotFound):
        coordination.read_attachment(ACTOR, other.number, made.id)
    for stranger in (
        Actor.in_role("x", "x", "school_officer", Scope("school", "110101", "2111010001")),
        Actor.in_role("y", "y", "finance", Scope("city")),
    ):
        with pytest.raises(Forbidden):
            coordination.read_attachment(stranger, found.number, made.id)
        with pytest.raises(Forbidden):
            coordination.attach(stranger, found.id, "a.pdf", PDF)


def document(*parts: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for each in parts:
            made.writestr(each, "x")
    return out.getvalue()


TYPES = "[Content_Types].xml"


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.pdf", b"", "FILE_EMPTY"),
        ("a.pdf", b"MZ\x90", "FILE_TYPE"),
        ("a.exe", PDF, "FILE_TYPE"),
        ("a.html", b"<script>", "FILE_TYPE"),
        ("pdf", PDF, "FILE_TYPE"),
        (".pdf", PDF, "FILE_TYPE"),
        ("a.doc", b"\xd0\xcf\x11\xe0", "FILE_TYPE"),
        ("a.txt", b"a\x00b", "FILE_TYPE"),
        ("a.csv", b"\xff\xff\xff", "FILE_TYPE"),
        ("a.docx", b"PK\x03\x04broken", "FILE_TYPE"),
        ("a.docx", document("x.txt"), "FILE_TYPE"),
        ("a.xlsx", document(TYPES, "word/document.xml"), "FILE_TYPE"),
        ("a.docx", document(TYPES, "word/document.xml", "word/vbaProject.bin"), "FILE_MACROS"),
        ("a.xlsx", document(TYPES, "xl/workbook.xml", "xl/embeddings/a.bin"), "FILE_MACROS"),
        ("a.pdf", PDF + b"0" * (coordination.LARGEST_MB << 20), "FILE_TOO_LARGE"),
    ],
)
def test_what_no_letter_is_is_not_taken(name: str, content: bytes, code: str) -> None:
    found = opened()
    with pytest.raises(BadInput) as refused:
        coordination.attach(ACTOR, found.id, name, content)
    assert refused.value.code == code
    assert not StoredFile.objects.exists() and not Attachment.objects.exists()


def test_documents_without_macros_are_taken_up_to_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    found = opened()
    coordination.attach(ACTOR, found.id, "a.docx", document(TYPES, "word/document.xml"))
    coordination.attach(ACTOR, found.id, "b.xlsx", document(TYPES, "xl/workbook.xml"))
    monkeypatch.setattr(attachments, "MOST", 2)
    with pytest.raises(Refused) as full:
        coordination.attach(ACTOR, found.id, "c.pdf", PDF)
    assert full.value.code == "ATTACHMENTS_FULL"


def test_overdue_ones_come_first_and_count() -> None:
    late = opened()
    other = opened("courier", "parcel")
    ended = opened()
    coordination.step(ACTOR, ended.id, "cancel", "不用了")
    yesterday = clock.today() - timedelta(days=1)
    Matter.objects.filter(id__in=[late.id, ended.id]).update(due_on=yesterday)
    rows = coordination.matters(SCOPE).order_by("stage", "due_on", "id")
    assert [each.number for each in rows] == [late.number, other.number, ended.number]
    assert coordination.counts(SCOPE)["transit"] == (1, 1, 0)
    assert coordination.counts(SCOPE)["courier"] == (1, 0, 0)
    assert len(coordination.counts(SCOPE)) == 7
    assert coordination.pressing(SCOPE) == 1


def test_what_is_wrong_is_refused() -> None:
    for party, kind in (("nobody", "data"), ("transit", "sign_on")):
        with pytest.raises(BadInput):
            opened(party, kind)
    for more in ({"about": "x"}, {"about_kind": "card"}, {"about_kind": "moon", "about": "x"}):
        with pytest.raises(BadInput):
            opened(**more)
    with pytest.raises(NotFound):
        opened(owner="nobody-of-that-name")
    found = opened()
    with pytest.raises(BadInput):
        coordination.step(ACTOR, found.id, "ask", " ")
    with pytest.raises(BadInput):
        coordination.set_due(ACTOR, found.id, clock.today() - timedelta(days=1), "x")
    with pytest.raises(NotFound):
        coordination.matter(Scope("district", "110108"), found.number)
    with pytest.raises(Forbidden):
        coordination.note(Actor.in_role("a", "审计", "auditor", Scope("city")), found.id, "x")


def test_an_owner_is_somebody_who_can_do_it() -> None:
    system, found = Actor.system("test"), opened()
    identity.create_user(system, "watcher", "李审", "auditor")
    identity.create_user(system, "gone", "赵离", "city_operator")
    identity.deactivate(system, "gone", "调离")
    for nobody in ("watcher", "gone"):
        with pytest.raises(Refused) as refused:
            coordination.assign(ACTOR, found.id, nobody)
        assert refused.value.code == "OWNER_CANNOT"
    with pytest.raises(Refused):
        opened(owner="gone")


def test_every_pair_of_state_and_event() -> None:
    def fire(event: str, state: str, to: str | None) -> str:
        found = opened()
        if state != "open":
            Matter.objects.filter(id=found.id).update(state=state)
        coordination.step(ACTOR, found.id, event, "试")
        return str(Matter.objects.get(id=found.id).state)

    assert_every_pair(coordination.MATTER, fire)


def test_a_file_is_never_changed_and_a_matter_never_deleted() -> None:
    found = opened()
    for sql in (
        f"UPDATE coordination_line SET text = 'x' WHERE matter_id = {found.id}",
        f"DELETE FROM coordination_matter WHERE id = {found.id}",
        "DELETE FROM coordination_attachment",
        "UPDATE coordination_attachment SET file_id = 1",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)


def test_each_invariant_is_violated_once() -> None:
    found = opened()
    coordination.step(ACTOR, found.id, "ask", "发函")
    wrong = {
        "matter_state_equals_last_history_row": lambda: Matter.objects.update(state="done"),
        "matter_files_are_whole": lambda: Line.objects.create(
            matter=found, seq=9, kind="note", text="x", at=clock.now(), by="x"
        ),
        "matter_attachments_are_on_file": lambda: Line.objects.create(
            matter=found, seq=3, kind="file", text="x.pdf", at=clock.now(), by="x"
        ),
        "matter_steps_allowed": lambda: history._write(
            "matter", [(found.id, "asked", "open")], "answer", ACTOR
        ),
    }
    known = {each.name: each for each in coordination.INVARIANTS}
    for name, violate in wrong.items():
        with transaction.atomic():
            violate()
            assert check(known[name]).violated, name
            transaction.set_rollback(True)
