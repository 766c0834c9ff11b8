"""What a roster does to the tables: created, updated, moved, asked, refused, and nothing else."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from tests.support.registry import OPERATOR, SCHOOLS, clean, load, school_officer
from tests.support.rosters import COLUMN, HEADER, SCHOOL_HEADER, Row, csv_text
from xueka.contexts.registry.api import (
    ImportReport,
    changes,
    enrolments,
    find_by_id_number,
    import_roster,
    student,
)
from xueka.contexts.registry.importing.preparing import ROW_KIND
from xueka.contexts.registry.models import (
    Enrolment,
    ImportRun,
    SchoolClass,
    Student,
    StudentChange,
    Transfer,
)
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict, Forbidden
from xueka.platform.audit.models import Entry
from xueka.platform.crypto.fields import unseal
from xueka.platform.files.services import sm3
from xueka.platform.identity.scope import EVERYWHERE

pytestmark = pytest.mark.usefixtures("schools")
NAME, NUMBER, EDUCATION_ID = COLUMN["姓名"], COLUMN["证件号码"], COLUMN["教育ID"]
SCHOOL, CLASS, STATUS = COLUMN["学校标识码"], COLUMN["班级"], COLUMN["学籍状态"]

# Primary, junior and senior of the first district; the same of the second.
HERE, SAME_DISTRICT, OTHER_DISTRICT = SCHOOLS[0][0], SCHOOLS[1][0], SCHOOLS[3][0]


def counts(report: ImportReport) -> tuple[int, int, int, int]:
    assert report.rows == report.created + report.updated + report.unchanged + report.rejected
    return report.created, report.updated, report.unchanged, report.rejected


def state() -> list[tuple]:
    """Everything an import may write, except for the record of the run itself."""
    return [
        list(model.objects.order_by("pk").values_list())
        for model in (Student, SchoolClass, Enrolment, StudentChange, Transfer)
    ]


def now_at(row: Row) -> Student:
    return student(EVERYWHERE, row[EDUCATION_ID])


def test_a_clean_file_creates_its_students() -> None:
    rows = clean(80)
    report = load(rows)
    assert counts(report) == (80, 0, 0, 0)
    assert not report.errors
    found = now_at(rows[0])
    assert (found.name, found.sex, found.birth_year) == (rows[0][NAME], rows[0][6], 2008)
    assert (found.school.code, found.school_class.name, found.status) == (HERE, "1班", "在校")
    assert unseal(bytes(found.envelope)) == {
        "birth_date": rows[0][7],
        "id_type": "居民身份证",
        "id_number": rows[0][NUMBER],
        "national_number": rows[0][10],
        "address": rows[0][15],
        "guardians": [{"name": rows[0][13], "phone": rows[0][14], "relation": ""}],
    }
    assert find_by_id_number(EVERYWHERE, rows[0][NUMBER]) == found
    assert found.enrolled_from == clock.today()
    assert not Enrolment.objects.exists()


def test_no_personal_value_lies_in_clear() -> None:
    rows = clean(3)
    load([*rows, [*rows[0][:EDUCATION_ID], "12", *rows[0][EDUCATION_ID + 1 :]]])
    stored = repr([list(m.objects.values_list()) for m in (Student, ImportRun, Entry)])
    for row in rows:
        for header in ("证件号码", "全国学籍号", "监护人姓名", "监护人手机", "现住址", "出生日期"):
            assert row[COLUMN[header]] not in stored


def test_a_second_import_changes_nothing() -> None:
    rows = clean(60)
    load(rows)
    before = state()
    with clock.at(datetime(2030, 1, 1, tzinfo=UTC)):
        assert counts(load(rows)) == (0, 0, 60, 0)
    assert state() == before


def test_a_dry_run_reports_the_same_and_changes_nothing() -> None:
    rows = clean(40)
    load(rows[:20])
    rows[3][CLASS] = "9班"
    rows[30][EDUCATION_ID] = ""
    before = state()
    rehearsed = load(rows, dry_run=True)
    assert state() == before
    done = load(rows)
    assert rehearsed.dry_run
    assert not done.dry_run
    assert {**rehearsed.as_dict(), "dry_run": None} == {**done.as_dict(), "dry_run": None}
    assert counts(done) == (19, 1, 19, 1)


def test_what_changed_is_updated_and_remembered() -> None:
    rows = clean(3)
    load(rows)
    rows[1][NAME] = "欧阳改名"
    rows[1][14] = "13900001111"
    report = load(rows)
    assert counts(report) == (0, 1, 2, 0)
    found = now_at(rows[1])
    assert found.name == "欧阳改名"
    assert unseal(bytes(found.envelope))["guardians"][0]["phone"] == "13900001111"
    (change,) = changes(EVERYWHERE, found.id)
    assert (change.line, change.run.file_name) == (3, "roster.csv")
    assert len(enrolments(EVERYWHERE, found.id)) == 1


def test_another_class_or_status_ends_one_enrolment_and_begins_the_next() -> None:
    rows = clean(1)
    with clock.at(datetime(2025, 9, 1, tzinfo=UTC)):
        load(rows)
    rows[0][CLASS] = "7班"
    with clock.at(datetime(2026, 3, 1, tzinfo=UTC)):
        load(rows)
    rows[0][STATUS] = "休学"
    with clock.at(datetime(2026, 5, 1, tzinfo=UTC)):
        load(rows)
    stays = enrolments(EVERYWHERE, now_at(rows[0]).id)
    assert [(s.school_class.name, s.status, s.from_date.isoformat(), s.ended_by) for s in stays] == [
        ("1班", "在校", "2025-09-01", "class"),
        ("7班", "在校", "2026-03-01", "status"),
        ("7班", "休学", "2026-05-01", None),
    ]
    assert [s.to_date and s.to_date.isoformat() for s in stays] == ["2026-03-01", "2026-05-01", None]


def test_another_school_of_the_same_district_is_a_move_that_the_report_shows() -> None:
    rows = clean(2)
    load(rows)
    rows[0][SCHOOL] = SAME_DISTRICT
    report = load(rows)
    assert (report.updated, report.moved, report.transfers) == (1, 1, 0)
    (difference,) = report.differences
    assert difference.as_dict() == {
        "line": 2,
        "education_id": rows[0][EDUCATION_ID],
        "from_school": HERE,
        "to_school": SAME_DISTRICT,
        "pending": False,
    }
    found = now_at(rows[0])
    assert found.school.code == SAME_DISTRICT
    assert [stay.ended_by for stay in enrolments(EVERYWHERE, found.id)] == ["moved", None]


def test_another_district_is_asked_and_the_rest_of_the_row_applied() -> None:
    rows = clean(2)
    load(rows)
    rows[0][SCHOOL], rows[0][NAME], rows[0][STATUS] = OTHER_DISTRICT, "新名字", "休学"
    report = load(rows)
    assert (report.updated, report.moved, report.transfers) == (1, 0, 1)
    assert report.differences[0].pending
    found = now_at(rows[0])
    assert (found.school.code, found.name, found.status) == (HERE, "新名字", "休学")
    transfer = Transfer.objects.get()
    assert (transfer.state, transfer.to_school.code, transfer.to_class.name) == (
        "open",
        OTHER_DISTRICT,
        "1班",
    )
    assert counts(load(rows)) == (0, 0, 2, 0)
    assert Transfer.objects.count() == 1


def test_a_newer_roster_withdraws_or_redirects_what_an_older_one_asked() -> None:
    rows = clean(1)
    load(rows)
    original = list(rows[0])
    rows[0][SCHOOL] = OTHER_DISTRICT
    load(rows)
    rows[0][CLASS] = "5班"
    load(rows)
    assert Transfer.objects.get().to_class.name == "5班"
    rows[0][SCHOOL] = SCHOOLS[6][0]
    load(rows)
    assert [(t.state, t.to_school.code) for t in Transfer.objects.order_by("id")] == [
        ("withdrawn", OTHER_DISTRICT),
        ("open", SCHOOLS[6][0]),
    ]
    load([original])
    assert list(Transfer.objects.order_by("id").values_list("state", flat=True)) == ["withdrawn"] * 2
    assert all(Transfer.objects.values_list("closed_at", flat=True))


def test_a_setting_waives_the_confirmation(settings) -> None:
    settings.REGISTRY_TRANSFER_WAIVED = True
    rows = clean(1)
    load(rows)
    rows[0][SCHOOL] = OTHER_DISTRICT
    report = load(rows)
    assert (report.moved, report.transfers) == (1, 0)
    assert now_at(rows[0]).school.code == OTHER_DISTRICT


def test_a_number_that_another_student_holds_is_refused_naming_both() -> None:
    rows = clean(3)
    load(rows[:1])
    thief = rows[1]
    thief[NUMBER:EDUCATION_ID] = rows[0][NUMBER:EDUCATION_ID]
    thief[6:8] = rows[0][6:8]
    thief[14] = "12"  # a warning, which a refused row does not have
    before = now_at(rows[0])
    report = load([thief, rows[2]])
    assert counts(report) == (1, 0, 0, 1)
    (problem,) = report.errors
    assert (problem.line, problem.column, problem.code) == (2, "证件号码", "ID_TAKEN")
    assert problem.value == f"{rows[0][NUMBER][:6]}********{rows[0][NUMBER][14:]}"
    assert rows[0][EDUCATION_ID] in problem.message
    assert thief[EDUCATION_ID] in problem.message
    assert rows[0][NUMBER] not in problem.message
    assert not report.warnings
    assert now_at(rows[0]).updated_at == before.updated_at


def swap(one: Row, other: Row) -> None:
    """Exchange everything that goes with the identity document."""
    for place in (6, 7, *range(NUMBER, EDUCATION_ID)):
        one[place], other[place] = other[place], one[place]


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 0, 2]])
def test_numbers_may_change_hands_within_one_file(order: list[int]) -> None:
    rows = clean(3)
    load(rows)
    swap(rows[0], rows[1])
    swap(rows[1], rows[2])  # a ring of three
    report = load([rows[n] for n in order])
    assert counts(report) == (0, 3, 0, 0)
    for row in rows:
        assert find_by_id_number(EVERYWHERE, row[NUMBER]) == now_at(row)


def test_a_number_is_not_passed_on_by_a_row_that_is_refused() -> None:
    rows = clean(4)
    load(rows[:3])
    # 0 wants 1's number, 1 wants 2's, a new one wants 0's; 2 keeps hers, and so all three are refused.
    wants = [list(rows[n]) for n in (0, 1, 3)]
    for want, holder in zip(wants, (rows[1], rows[2], rows[0]), strict=True):
        for place in (6, 7, *range(NUMBER, EDUCATION_ID)):
            want[place] = holder[place]
    report = load(wants)
    assert [(problem.line, problem.code) for problem in report.errors] == [
        (2, "ID_TAKEN"),
        (3, "ID_TAKEN"),
        (4, "ID_TAKEN"),
    ]
    assert "本名册第 3 行" in report.errors[0].message
    assert "本名册" not in report.errors[1].message
    assert counts(report) == (0, 0, 0, 3)
    for row in rows[:3]:
        assert find_by_id_number(EVERYWHERE, row[NUMBER]) == now_at(row)


def test_a_class_is_made_only_for_a_row_that_is_accepted() -> None:
    rows = clean(2)
    load(rows[:1])
    classes = SchoolClass.objects.count()
    rows[1][NUMBER:EDUCATION_ID], rows[1][6:8] = rows[0][NUMBER:EDUCATION_ID], rows[0][6:8]
    rows[1][CLASS] = "没有人的班"
    load([rows[1]])
    rows[1][CLASS], rows[1][NAME] = "也没有人", ""
    load([rows[1]])
    assert SchoolClass.objects.count() == classes


def test_both_rows_of_a_pair_of_twins_are_refused() -> None:
    rows = clean(4)
    rows[2][EDUCATION_ID] = f" {rows[0][EDUCATION_ID]} "
    rows[3][NUMBER] = rows[1][NUMBER].lower()
    report = load(rows)
    assert counts(report) == (0, 0, 0, 4)
    codes = {(problem.line, problem.code) for problem in report.errors}
    assert codes >= {
        (2, "EDUCATION_ID_DUPLICATE"),
        (4, "EDUCATION_ID_DUPLICATE"),
        (3, "ID_DUPLICATE"),
    }


def test_a_sort_key_set_by_hand_outlives_imports_but_not_the_name() -> None:
    rows = clean(1)
    rows[0][NAME] = "单田芳"
    load(rows)
    found = now_at(rows[0])
    assert found.sort_key == "shan tian fang"
    Student.objects.filter(id=found.id).update(sort_key="dan tian fang", sort_key_by_hand=True)
    rows[0][CLASS] = "3班"
    load(rows)
    assert now_at(rows[0]).sort_key == "dan tian fang"
    rows[0][NAME] = "单小芳"
    load(rows)
    found = now_at(rows[0])
    assert (found.sort_key, found.sort_key_by_hand) == ("shan xiao fang", False)


def test_blank_lines_count_as_lines_but_not_as_rows() -> None:
    rows = clean(2)
    text = csv_text(rows).replace("\r\n", "\r\n\r\n , ,\r\n", 1)
    rows[1][NAME] = ""
    report = import_roster(OPERATOR, (text + csv_text(rows[1:])[len(csv_text([])) :]).encode(), "r.csv")
    assert report.rows == 3
    assert {problem.line for problem in report.errors} == {5, 6}


def test_the_run_and_the_audit_log_keep_what_happened() -> None:
    rows = clean(5)
    rows[4][NAME] = ""
    load(rows)
    load(rows, dry_run=True)
    run, rehearsal = ImportRun.objects.filter(kind="roster").order_by("id")
    digest = sm3(csv_text(rows).encode())
    assert bytes(run.sm3) == digest
    assert (run.rows, run.created, run.rejected, run.dry_run) == (5, 4, 1, False)
    assert run.report["errors"][0]["code"] == "NAME_MISSING"
    assert (rehearsal.dry_run, rehearsal.unchanged) == (True, 4)
    entries = Entry.objects.filter(action__startswith="roster.").order_by("id")
    assert [(entry.action, entry.object_id) for entry in entries] == [
        ("roster.import", str(run.id)),
        ("roster.check", str(rehearsal.id)),
    ]
    assert entries[0].detail["sm3"] == digest.hex()
    assert entries[0].detail["rows"] == 5


def test_what_nobody_reads_is_said() -> None:
    rows = [[*row, "说明"] for row in clean(1)]
    report = load(rows, header=[*HEADER, "备注"])
    assert [(w.line, w.column, w.code) for w in report.warnings] == [(1, "备注", "COLUMN_UNKNOWN")]
    assert report.created == 1


def test_a_file_that_is_broken_as_a_whole_changes_nothing() -> None:
    before = state()
    text = csv_text(clean(5)).encode()
    for content, code in [
        (text[:200] + b"\xff" + text[200:] + b"\x81", "ENCODING_UNKNOWN"),
        (csv_text(clean(5), SCHOOL_HEADER).encode(), "COLUMNS_MISSING"),
        (b"", "FILE_EMPTY"),
    ]:
        with pytest.raises(BadInput) as refusal, transaction.atomic():
            import_roster(OPERATOR, content, "x.csv")
        assert refusal.value.code == code
    assert state() == before
    assert not ImportRun.objects.filter(kind="roster").exists()


def test_only_the_city_imports() -> None:
    with pytest.raises(Forbidden):
        import_roster(school_officer(SCHOOLS[0]), csv_text(clean(1)).encode(), "x.csv")


def test_several_processes_do_the_same_as_one() -> None:
    rows = clean(300)
    rows[7][NAME] = rows[200][EDUCATION_ID] = ""
    rows[100][EDUCATION_ID] = rows[101][EDUCATION_ID]
    quoted = [[*row[:15], "甲, 乙"] for row in rows]
    for content in (csv_text(rows).encode(), csv_text(quoted).encode()):
        results = []
        for processes in (1, 2):
            with transaction.atomic():
                report = import_roster(OPERATOR, content, "x.csv", processes=processes)
                made = Student.objects.order_by("education_id").values_list(
                    "education_id", "name", "sort_key", "id_index", "phone_index", "row_digest"
                )
                results.append((report.as_dict(), list(made)))
                transaction.set_rollback(True)
        assert results[0] == results[1]
        assert results[0][0]["created"] == 296


def test_the_digest_covers_every_stored_field() -> None:
    base = clean(1)[0]
    load([base])
    others = {
        "学段": ("小学", None),
        "年级": ("2", "school_class"),
        "班级": ("2班", "school_class"),
        "姓名": ("别名", "name"),
        "全国学籍号": ("L110115201305297090", "envelope"),
        "学籍状态": ("休学", "status"),
        "监护人姓名": ("别人", "envelope"),
        "监护人手机": ("13900000000", "phone_index"),
        "现住址": ("别处", "envelope"),
    }
    for header, (value, field) in others.items():
        before = now_at(base)
        changed = list(base)
        changed[COLUMN[header]] = value
        with transaction.atomic():
            report = load([changed])
            assert report.updated == (field is not None), header
            if field:
                assert getattr(now_at(base), field) != getattr(before, field)
            transaction.set_rollback(True)
    assert ROW_KIND


def test_a_run_counts_its_progress() -> None:
    seen: list[tuple[int, int]] = []
    load(clean(30), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(30, 30)]


@pytest.mark.django_db(transaction=True)
def test_two_imports_at_once_take_turns() -> None:
    load(clean(1))
    rows = clean(200)
    reports: list[ImportReport] = []
    barrier = threading.Barrier(2)

    def work() -> None:
        barrier.wait()
        try:
            with transaction.atomic():
                reports.append(load(rows))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts(report) for report in reports) == [(0, 0, 200, 0), (199, 0, 1, 0)]
    assert Student.objects.count() == 200


@pytest.mark.django_db(transaction=True)
def test_a_second_person_is_told_who_imports(settings) -> None:
    settings.REGISTRY_IMPORT_WAIT = 1
    load(clean(1))
    begun, done = threading.Event(), threading.Event()

    def work() -> None:
        try:
            with transaction.atomic():
                load(clean(2))
                begun.set()
                done.wait(30)
        finally:
            connection.close()

    other = threading.Thread(target=work)
    other.start()
    try:
        assert begun.wait(30)
        with pytest.raises(Conflict) as refused, transaction.atomic():
            load(clean(5))
    finally:
        done.set()
        other.join()
    assert refused.value.code == "IMPORT_BUSY"
    assert refused.value.message.startswith(f"{OPERATOR.username}正在导入")
    assert Student.objects.count() == 2
    load(clean(5))  # and once the other is through, the way is free
    assert Student.objects.count() == 5


def test_the_clock_never_ends_an_enrolment_before_it_began() -> None:
    rows = clean(1)
    load(rows)
    rows[0][CLASS] = "4班"
    with clock.at(clock.now() - timedelta(days=400)):
        load(rows)
    past, present = enrolments(EVERYWHERE, now_at(rows[0]).id)
    assert past.from_date == past.to_date == present.from_date
