"""A personal list leaves the house after another person has agreed, for a time, on record."""

import io
from collections.abc import Callable
from itertools import count

import pytest
from django.db import IntegrityError, connection, transaction
from python_calamine import CalamineWorkbook

from tests.support.machines import assert_every_pair
from tests.unit.cards.conftest import NOW, City
from xueka.contexts.operations import api as operations
from xueka.contexts.reporting import api as reporting
from xueka.contexts.reporting.jobs import exports as sweep
from xueka.contexts.reporting.models import Export
from xueka.contexts.reporting.services import exporting
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.platform.audit.models import Entry
from xueka.platform.crypto import fields
from xueka.platform.files.models import StoredFile
from xueka.platform.history import services as history
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

PURPOSE = "发给班主任核对照片"
ID_NUMBER = "110105201703153219"
SECURITY = Actor.in_role("security", "卫平", "security_admin", Scope("city"))
ENVELOPE = {
    "birth_date": "2017-03-15",
    "id_type": "居民身份证",
    "id_number": ID_NUMBER,
    "national_number": "",
    "address": "",
    "guardians": [{"name": "王大力", "phone": "13800138000", "relation": "父亲"}],
}


def students(city: City, number: int = 3, school: int = 0) -> None:
    city.students(number, school, envelope=fields.seal(ENVELOPE))


def ready(city: City, *, in_clear: bool = False) -> Export:
    asked = reporting.ask_export(city.officer, "students", PURPOSE, in_clear=in_clear)
    reporting.approve_export(SECURITY, asked.number)
    assert sweep()
    return reporting.export(Scope("city"), asked.number)


def cells(content: bytes) -> dict[str, list[list[object]]]:
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


def test_asked_approved_made_and_taken(city: City) -> None:
    students(city)
    students(city, 2, school=1)
    export = ready(city)
    assert (export.state, export.rows, export.decided_by) == ("ready", 3, "security")
    name, content = reporting.download_export(city.officer, export.number)
    assert name == f"{export.number}.xlsx"
    sheets = cells(content)
    rows = sheets["学生"]
    assert "officer" in str(rows[0][0]) and export.number in str(rows[0][0]) and PURPOSE in str(rows[0][0])
    assert [row[9] for row in rows[2:]] == ["110105********3219"] * 3
    assert ID_NUMBER not in str(sheets) and "13800138000" not in str(sheets)
    control = {(row[0], row[1]): row[2] for row in sheets["控制数"][2:]}
    assert control["学生", "行数"] == 3.0
    assert control["摘要", "SM3（全部单元格）"] == export.digest
    assert export.number in str(sheets["控制数"][0][0])
    assert bytes(export.file.content)[:2] != b"PK"  # sealed in the store
    actions = list(Entry.objects.filter(object_type="export").order_by("id").values_list("action", flat=True))
    assert actions == ["export.ask", "export.approve", "export.make", "export.download"]


def test_whole_numbers_only_where_they_were_asked_for(city: City) -> None:
    students(city, 1)
    _, content = reporting.download_export(city.officer, ready(city, in_clear=True).number)
    assert ID_NUMBER in str(cells(content)["学生"])


def test_three_times_and_no_more(city: City) -> None:
    export = ready(city)
    for _ in range(reporting.DOWNLOADS):
        reporting.download_export(city.officer, export.number)
    with pytest.raises(Refused) as refused:
        reporting.download_export(city.officer, export.number)
    assert refused.value.code == "EXPORT_GONE"
    sweep()
    export.refresh_from_db()
    assert (export.state, export.file, StoredFile.objects.count()) == ("expired", None, 0)
    assert [each.by for each in reporting.downloads(export)] == ["officer"] * 3


def test_after_its_time_the_file_is_gone(city: City) -> None:
    export = ready(city)
    with clock.at(NOW + reporting.KEPT_FOR):
        with pytest.raises(Refused):
            reporting.download_export(city.officer, export.number)
        sweep()
        assert StoredFile.objects.count() == 0


def test_nobody_agrees_to_her_own_wish(city: City) -> None:
    asked = reporting.ask_export(city.operator, "cards", PURPOSE)
    for act in (
        lambda: reporting.approve_export(city.operator, asked.number),
        lambda: reporting.reject_export(city.operator, asked.number, "不行"),
    ):
        with pytest.raises(Refused, match="自己"):
            act()
    with pytest.raises(IntegrityError), transaction.atomic():
        Export.objects.filter(id=asked.id).update(decided_by="operator")


def test_only_who_asked_takes_it_or_withdraws(city: City) -> None:
    export = ready(city)
    other = city.person("other", "school_officer", city.schools[0])
    with pytest.raises(Refused, match="本人"):
        reporting.download_export(other, export.number)
    with pytest.raises(NotFound):
        reporting.download_export(city.other_officer, export.number)
    with pytest.raises(Forbidden):
        asked = reporting.ask_export(city.district, "cards", PURPOSE)
        reporting.approve_export(city.person("district2", "district_officer", city.schools[0]), asked.number)
    asked = reporting.ask_export(city.officer, "cards", PURPOSE)
    with pytest.raises(Refused):
        reporting.withdraw_export(other, asked.number)
    reporting.withdraw_export(city.officer, asked.number)


def test_what_is_no_wish(city: City) -> None:
    for kind, purpose in (("all", PURPOSE), ("cards", "核对"), ("cards", "x" * 201), ("cards", "")):
        with pytest.raises(BadInput):
            reporting.ask_export(city.officer, kind, purpose)
    asked = reporting.ask_export(city.officer, "cards", PURPOSE)
    with pytest.raises(BadInput):
        reporting.reject_export(SECURITY, asked.number, "  ")
    assert Entry.objects.filter(action="export.reject").count() == 0


def test_a_list_that_is_too_long_fails_in_words(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    students(city, 4)
    monkeypatch.setattr("xueka.contexts.reporting.domain.exports.MOST_ROWS", 3)
    export = ready(city)
    assert (export.state, export.file) == ("failed", None)
    assert "3 行" in export.note


def test_one_that_breaks_keeps_nobody_waiting(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    students(city, 1)
    city.students(1, envelope=b"broken")
    assert ready(city).state == "failed"


def test_a_formula_stays_a_text(city: City) -> None:
    city.students(1, name='=HYPERLINK("http://x")', envelope=fields.seal(ENVELOPE))
    _, content = reporting.download_export(city.officer, ready(city).number)
    assert cells(content)["学生"][2][1] == '=HYPERLINK("http://x")'


def test_every_pair_of_state_and_event(city: City) -> None:
    serial = count(1)
    present: list[Export] = []

    def in_state(state: str) -> Export:
        number = next(serial)
        file = StoredFile.objects.create(
            name="x", media_type="x", size=0, sm3=b"", content=b"", created_at=NOW, created_by="x"
        )
        return Export.objects.create(
            number=f"DC{number}", kind="cards", state=state, purpose=PURPOSE, level="school",
            district_code="110101", school_code=city.schools[0].code, asked_by="officer", asked_name="",
            asked_at=NOW, decided_by="" if state in ("asked", "withdrawn") else "security",
            file=file if state == "ready" else None, expires_at=NOW if state == "ready" else None,
        )  # fmt: skip

    acts: dict[str, Callable[[Export], object]] = {
        "approve": lambda each: reporting.approve_export(SECURITY, each.number),
        "reject": lambda each: reporting.reject_export(SECURITY, each.number, "不行"),
        "withdraw": lambda each: reporting.withdraw_export(city.officer, each.number),
        "revoke": lambda each: reporting.revoke_export(SECURITY, each.number, "不再需要"),
        "make": lambda each: _through_the_table(each, "make"),
        "fail": lambda each: _through_the_table(each, "fail"),
        "expire": lambda each: _through_the_table(each, "expire"),
    }

    def _through_the_table(each: Export, event: str) -> None:
        if event == "make" and each.state == "approved":
            exporting.make_export(city.system, each.id)
        elif event == "fail" and each.state == "approved":
            exporting.fail_export(city.system, each.id, "坏了")
        elif event == "expire" and each.state == "ready":
            assert exporting.end_overdue(city.system)
        else:
            history.apply(reporting.EXPORT, Export, [each.id], event, city.system)

    def try_event(event: str, state: str, to: str | None) -> str:
        each = in_state(state)
        present.append(each)
        acts[event](each)
        return Export.objects.get(id=each.id).state

    allowed, refused = assert_every_pair(
        reporting.EXPORT, try_event, still=lambda: Export.objects.get(id=present[-1].id).state
    )
    assert (allowed, refused) == (7, 7 * 7 - 7)


VIOLATIONS = {
    "export_state_equals_last_history_row": "UPDATE reporting_export SET state = 'failed', file_id = NULL",
    "export_steps_allowed": """
        INSERT INTO history_transition
               (machine, object_id, seq, event, from_state, to_state, at, actor, reason, detail)
        SELECT 'export', id, 9, 'make', 'asked', 'ready', now(), '', '', '{}' FROM reporting_export""",
    "export_file_only_while_ready": "UPDATE reporting_export SET state = 'expired'",
    "export_taken_only_after_approval": "UPDATE reporting_export SET downloads_left = 3",
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_each_invariant_is_violated_once_and_found(city: City, name: str) -> None:
    students(city, 1)
    reporting.download_export(city.officer, ready(city).number)
    [before] = operations.verify([name])
    assert before.checked > 0 and before.violated == 0
    with connection.cursor() as cursor:
        cursor.execute(VIOLATIONS[name])
    [after] = operations.verify([name])
    assert after.violated > 0
