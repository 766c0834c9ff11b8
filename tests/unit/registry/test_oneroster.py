"""OneRoster packages: full and changes, what is missing, what is wrong and where it is said to stand."""

import io
import zipfile
from typing import Any

import pytest
from django.test import override_settings

from tests.support.oneroster import Record, files_of, records, text_of, zip_of
from tests.support.registry import OPERATOR, SCHOOLS, clean, load, school_officer
from tests.support.rosters import COLUMN, Row
from xueka.contexts.registry.api import OneRosterReport, Student, import_oneroster
from xueka.contexts.registry.domain.oneroster import read_mapping
from xueka.contexts.registry.models import Absence, ImportRun, OneRosterLink, Transfer
from xueka.kernel.errors import BadInput, Forbidden
from xueka.platform.crypto.fields import unseal

pytestmark = pytest.mark.django_db(databases=["default"])

T1, T2, T3 = (f"2026-11-2{day}T01:00:00.000Z" for day in (1, 2, 3))


def bring(
    lists: dict[str, list[Record]], mode: str = "bulk", dry_run: bool = False, **how: Any
) -> OneRosterReport:
    return import_oneroster(OPERATOR, zip_of(files_of(lists, mode, **how)), "package.zip", dry_run)


def with_value(row: Row, **values: str) -> Row:
    row = list(row)
    for header, value in values.items():
        row[COLUMN[header]] = value
    return row


def said(report: OneRosterReport) -> list[tuple[str, int, str, str]]:
    return [(one.file, one.line, one.column, one.code) for one in report.errors]


def test_a_full_package_is_the_same_as_the_roster_of_its_rows(schools: None) -> None:
    rows = clean(60)
    assert load(rows).created == 60
    report = bring(records(rows))
    assert (report.rows, report.unchanged, report.rejected) == (60, 60, 0), report.as_dict()
    assert (report.left_out, report.deleted, report.others) == (0, 0, 0)


def test_a_full_package_creates_and_repeats_without_change(schools: None) -> None:
    rows = clean(60)
    lists = records(rows)
    assert bring(lists).created == 60
    again = bring(lists)
    assert (again.unchanged, again.created, again.updated) == (60, 0, 0)
    assert OneRosterLink.objects.filter(kind="user").count() == 60
    assert bring(lists, dry_run=True).unchanged == 60
    assert list(ImportRun.objects.order_by("id").values_list("kind", "dry_run"))[-1] == ("oneroster", True)


def test_files_as_the_standard_prints_them_without_any_extension(schools: None) -> None:
    """The columns of the standard alone: guardian by her own row, grade by its code, a document unknown."""
    lists = records(clean(3), beijing=False)
    user = lists["users"][0]
    user["agentSourcedIds"] = "g-1,g-2"
    lists["users"] += [
        {
            "sourcedId": "g-1",
            "enabledUser": "true",
            "familyName": "王",
            "givenName": "芳",
            "sms": "13800001234",
        },
        {"sourcedId": "t-1", "enabledUser": "true", "familyName": "李", "givenName": "老师"},
    ]
    lists["roles"] += [
        {"sourcedId": "r-g", "userSourcedId": "g-1", "roleType": "primary", "role": "guardian"},
        {"sourcedId": "r-t", "userSourcedId": "t-1", "roleType": "primary", "role": "teacher"},
    ]
    report = bring(lists)
    assert (report.created, report.rejected, report.others) == (3, 0, 2), report.as_dict()
    student = Student.objects.get(education_id=user["identifier"])
    sealed = unseal(bytes(student.envelope))
    assert sealed["guardians"] == [{"name": "王芳", "phone": "13800001234", "relation": ""}]
    assert (sealed["id_type"], sealed["id_number"], student.status) == ("无证件", "", "在校")
    assert student.name == user["familyName"] + user["givenName"]


def test_columns_that_are_not_there_leave_what_is_on_record(schools: None) -> None:
    rows = clean(3)
    load(rows)
    lists = records(rows, beijing=False)
    lists["demographics"].pop(0)
    report = bring(lists)
    assert (report.unchanged, report.updated, report.rejected) == (3, 0, 0), report.as_dict()


def test_changes_alone_of_each_file(schools: None) -> None:
    rows = clean(8, schools=SCHOOLS[:1])
    bring(records(rows))
    moved = with_value(rows[0], 班级="9班")
    changed = records([moved], at=T1)
    only_class = {name: changed[name] for name in ("classes", "enrollments")}
    report = bring(only_class, "delta")
    assert (report.rows, report.updated, report.rejected) == (1, 1, 0), report.as_dict()
    assert Student.objects.get(education_id=rows[0][COLUMN["教育ID"]]).school_class.name == "9班"

    renamed = records([with_value(moved, 姓名="欧阳文")], at=T2)
    report = bring({"users": renamed["users"]}, "delta")
    assert report.updated == 1
    student = Student.objects.get(education_id=rows[0][COLUMN["教育ID"]])
    assert (student.name, student.school_class.name) == ("欧阳文", "9班")

    late = records([with_value(moved, 姓名="早先名")], at=T1)
    report = bring({"users": late["users"]}, "delta")
    assert (report.rows, [one.code for one in report.warnings]) == (0, ["ONEROSTER_STALE"])
    assert Student.objects.get(id=student.id).name == "欧阳文"


def test_a_full_package_after_a_delta_brings_in_a_late_correction(schools: None) -> None:
    rows = clean(2)
    bring(records(rows))
    bring({"users": records([with_value(rows[0], 姓名="误写名")], at=T2)["users"]}, "delta")
    corrected = bring({"users": records(rows[:1], at=T3)["users"]}, "delta")
    assert corrected.updated == 1
    assert bring(records(rows)).unchanged == 2


def test_a_student_of_another_district_waits_for_both_sides(schools: None) -> None:
    rows = clean(2, schools=SCHOOLS[:1])
    bring(records(rows))
    away = list(next(school for school in SCHOOLS if school[3] != SCHOOLS[0][3] and school[0][:2] == "21"))
    moved = with_value(rows[0], 学校标识码=away[0], 学校名称=away[1])
    changed = records([moved], at=T1)
    report = bring({name: changed[name] for name in ("orgs", "classes", "enrollments")}, "delta")
    assert (report.transfers, report.moved) == (1, 0), report.as_dict()
    assert report.differences[0].as_dict() == {
        "line": 2, "education_id": rows[0][COLUMN["教育ID"]], "from_school": SCHOOLS[0][0],
        "to_school": away[0], "pending": True,
    }  # fmt: skip
    assert Transfer.objects.get().state == "open"


def test_every_defect_is_named_where_it_stands(schools: None) -> None:
    rows = clean(12, schools=SCHOOLS[:1])
    lists = records(rows)
    users, demographics, enrollments = lists["users"], lists["demographics"], lists["enrollments"]
    users[0]["metadata.bj.idNumber"] = users[0]["metadata.bj.idNumber"][:-1]
    demographics[1]["birthDate"] = "2015-02-30"
    demographics.reverse()
    enrollments[2]["classSourcedId"] = "c-nowhere"
    del enrollments[3]
    users[4]["identifier"] = users[5]["identifier"]
    users[6]["status"] = "gone"
    users[8]["sourcedId"] = users[7]["sourcedId"]
    lists["classes"].append({**lists["classes"][0], "sourcedId": "c-lost", "schoolSourcedId": "org-lost"})
    enrollments[8]["classSourcedId"] = "c-lost"
    report = bring(lists)
    found = said(report)
    place = len(demographics) - 1 - 1 + 2
    assert ("users.csv", 2, "metadata.bj.idNumber", "ID_LENGTH") in found
    assert ("demographics.csv", place, "birthDate", "DATE_INVALID") in found
    assert ("enrollments.csv", 4, "classSourcedId", "ONEROSTER_REFERENCE") in found
    assert ("users.csv", 5, "sourcedId", "ONEROSTER_NO_CLASS") in found
    assert ("users.csv", 6, "identifier", "EDUCATION_ID_DUPLICATE") in found
    assert ("users.csv", 7, "identifier", "EDUCATION_ID_DUPLICATE") in found
    assert ("users.csv", 8, "status", "ONEROSTER_STATUS") in found
    assert ("users.csv", 9, "sourcedId", "ONEROSTER_DUPLICATE") in found
    assert ("users.csv", 10, "sourcedId", "ONEROSTER_DUPLICATE") in found
    assert ("classes.csv", 3 + 0, "schoolSourcedId", "ONEROSTER_REFERENCE") in [
        (file, len(lists["classes"]) + 1 - line + 3, column, code) for file, line, column, code in found
    ]
    assert len(found) == 10, found
    assert report.rows == 12
    assert report.rejected == report.rows - report.created, report.as_dict()
    first = next(one for one in report.errors if one.code == "ID_LENGTH")
    assert first.message.startswith("users.csv 第 2 行「metadata.bj.idNumber」")
    assert users[0]["metadata.bj.idNumber"] not in str(report.as_dict())


def test_a_row_that_lost_a_comma_is_named_and_stops_no_other(schools: None) -> None:
    files = files_of(records(clean(3)))
    lines = files["users.csv"].split(b"\r\n")
    lines[2] = lines[2].replace(b",", b"", 1)
    files["users.csv"] = b"\r\n".join(lines)
    report = import_oneroster(OPERATOR, files, "folder")
    assert [(one.file, one.line, one.code) for one in report.errors] == [("users.csv", 3, "COLUMN_COUNT")]
    assert (report.created, report.rejected) == (2, 1)
    assert "ONEROSTER_NOT_WHOLE" in [one.code for one in report.warnings]


def test_quotes_and_the_national_encoding_are_read(schools: None) -> None:
    files = files_of(records(clean(3)))
    quoted = text_of([], [])
    rows = files["users.csv"].decode().split("\r\n")
    quoted = "\r\n".join(",".join(f'"{cell}"' for cell in row.split(",")) for row in rows if row).encode(
        "gb18030"
    )
    report = import_oneroster(OPERATOR, {**files, "users.csv": quoted}, "folder")
    assert (report.created, report.rejected) == (3, 0), report.as_dict()


@pytest.mark.parametrize(
    ("code", "damage"),
    [
        ("ONEROSTER_MANIFEST", lambda files: files.pop("manifest.csv")),
        ("ONEROSTER_FILE", lambda files: files.pop("users.csv")),
        (
            "ONEROSTER_MANIFEST",
            lambda files: files.update(
                {"manifest.csv": files["manifest.csv"].replace(b"version,1.2", b"version,1.1")}
            ),
        ),
        (
            "ONEROSTER_MANIFEST",
            lambda files: files.update(
                {"manifest.csv": files["manifest.csv"].replace(b"users,bulk", b"users,some")}
            ),
        ),
        (
            "COLUMNS_MISSING",
            lambda files: files.update({"users.csv": files["users.csv"].replace(b"givenName", b"g")}),
        ),
        ("CSV_QUOTES", lambda files: files.update({"orgs.csv": files["orgs.csv"] + b'"open'})),
        ("ENCODING_UTF16", lambda files: files.update({"roles.csv": b"\xff\xfe" + files["roles.csv"]})),
    ],
)
def test_a_package_that_is_broken_as_a_whole_changes_nothing(schools: None, code: str, damage: Any) -> None:
    files = files_of(records(clean(3)))
    damage(files)
    with pytest.raises(BadInput) as refused:
        import_oneroster(OPERATOR, zip_of(files), "package.zip")
    assert refused.value.code == code
    assert not Student.objects.exists()


def test_archives_are_opened_with_suspicion(schools: None) -> None:
    files = files_of(records(clean(3)))
    assert import_oneroster(OPERATOR, zip_of(files, "export/"), "folder.zip", True).created == 3
    for content in (b"PK\x03\x04 and no more", zip_of(files)[:-30], b"text"):
        with pytest.raises(BadInput) as refused:
            import_oneroster(OPERATOR, content, "x.zip")
        assert refused.value.code == "ONEROSTER_ZIP"
    twice = io.BytesIO(zip_of(files))
    with zipfile.ZipFile(twice, "a") as archive:
        archive.writestr("deeper/users.csv", files["users.csv"])
    with pytest.raises(BadInput) as refused:
        import_oneroster(OPERATOR, twice.getvalue(), "x.zip")
    assert refused.value.code == "ONEROSTER_FOLDERS"


def test_who_is_left_out_of_a_full_package_is_missing_and_nothing_else_happens(schools: None) -> None:
    rows = clean(20, schools=SCHOOLS[:2])
    bring(records(rows))
    report = bring(records([row for row in rows if row != rows[3]]))
    assert (report.left_out, report.deleted, report.held) == (1, 0, False)
    absence = Absence.objects.get()
    assert (absence.state, absence.cause, absence.held) == ("missing", "left_out", False)
    assert Student.objects.get(id=absence.student_id).status == "在校"
    assert bring(records([row for row in rows if row != rows[3]])).left_out == 0  # known already
    assert bring(records(rows)).returned == 1
    assert Absence.objects.get().state == "returned"


def test_a_full_package_of_some_schools_says_nothing_of_the_others(schools: None) -> None:
    rows = clean(20, schools=SCHOOLS[:2])
    bring(records(rows))
    report = bring(records([row for row in rows if row[0] == SCHOOLS[0][0]]))
    assert report.left_out == 0


def test_a_refused_row_is_not_a_missing_student(schools: None) -> None:
    rows = clean(6, schools=SCHOOLS[:1])
    bring(records(rows))
    lists = records(rows)
    lists["users"][0]["metadata.bj.idType"] = "图书证"
    lists["users"][1]["status"] = "gone"
    lists["users"][2]["identifier"] = "12"
    report = bring(lists)
    assert (report.rejected, report.left_out) == (3, 0), report.as_dict()


def test_so_many_missing_that_a_person_has_to_say_it(schools: None) -> None:
    rows = clean(20, schools=SCHOOLS[:1])
    bring(records(rows))
    with override_settings(ONEROSTER_LEAVERS=3):
        report = bring(records(rows[:10]))
    assert (report.left_out, report.held, report.allowed) == (10, True, 3)
    assert set(Absence.objects.values_list("held", flat=True)) == {True}


def test_deleted_users(schools: None) -> None:
    rows = clean(6, schools=SCHOOLS[:1])
    bring(records(rows))
    gone = [
        {"sourcedId": f"u-{row[COLUMN['教育ID']]}", "status": "tobedeleted", "dateLastModified": T1}
        for row in rows[:2]
    ]
    report = bring(
        {"users": [*gone, {"sourcedId": "stranger", "status": "tobedeleted", "dateLastModified": T1}]},
        "delta",
    )
    assert (report.rows, report.deleted, report.left_out) == (0, 2, 0), report.as_dict()
    assert bring({"users": records(rows[:1], at=T2)["users"]}, "delta").returned == 1


def test_a_dry_run_changes_nothing(schools: None) -> None:
    rows = clean(6, schools=SCHOOLS[:1])
    bring(records(rows))
    report = bring(records(rows[1:]), dry_run=True)
    assert report.left_out == 1
    assert not Absence.objects.exists()


def test_the_columns_are_configuration(schools: None) -> None:
    lists = records(clean(2, schools=SCHOOLS[:1]))
    for user in lists["users"]:
        user["metadata.local.state"] = "休学"
    lists["classes"] = [{**each, "grades": "P1"} for each in lists["classes"]]
    with override_settings(
        ONEROSTER_COLUMNS={"status": "users.metadata.local.state"}, ONEROSTER_GRADES={"P1": "小学 1"}
    ):
        report = bring(lists)
    assert report.created == 2, report.as_dict()
    assert set(Student.objects.values_list("status", flat=True)) == {"休学"}


@pytest.mark.parametrize(
    ("columns", "grades"),
    [
        ({"state": "users.x"}, {}),
        ({"status": "users"}, {}),
        ({"status": "classes.title"}, {}),
        ({"class_name": "users.title"}, {}),
        ({}, {"13": "高中"}),
    ],
)
def test_a_wrong_configuration_is_said(columns: dict[str, str], grades: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="XUEKA_ONEROSTER"):
        read_mapping(columns, grades)


def test_only_the_city_imports(schools: None) -> None:
    with pytest.raises(Forbidden):
        import_oneroster(school_officer(SCHOOLS[0]), zip_of(files_of(records(clean(1)))), "x.zip")


def enrolment(row: Row, status: str = "active", at: str = T1, **values: str) -> Record:
    made = next(each for each in records([row], at=at)["enrollments"])
    return {**made, "status": status, **values}


def test_an_enrolment_deleted_alone_is_a_missing_student_until_she_is_in_a_class(schools: None) -> None:
    rows = clean(4, schools=SCHOOLS[:1])
    bring(records(rows, at=T1))
    gone = enrolment(rows[0], "tobedeleted", T2)
    assert bring({"enrollments": [gone]}, "delta").unenrolled == 1
    absence = Absence.objects.get()
    assert (absence.cause, absence.state, absence.student.status) == ("no_class", "missing", "在校")
    # Told again with the user as she is: still in no class, and known already.
    again = {"users": records(rows[:1], at=T2)["users"], "enrollments": [gone]}
    assert [bring(again, "delta").unenrolled, Absence.objects.get().state] == [0, "missing"]
    other = enrolment(rows[0], at=T3, sourcedId="e-other")
    assert bring({"enrollments": [other]}, "delta").returned == 1
    # The old one deleted once more says nothing of a student who has another.
    report = bring({"enrollments": [{**gone, "dateLastModified": T3}]}, "delta")
    assert (report.unenrolled, report.rejected) == (0, 0)


def test_older_records_of_every_kind_are_left_out(schools: None) -> None:
    rows = clean(3, schools=SCHOOLS[:1])
    bring(records(rows, at=T1))
    moved, born = with_value(rows[0], 班级="9班"), with_value(rows[1], 出生日期="2013-01-02", 证件类型="护照")
    born = with_value(born, 证件号码="E12345678")
    new = records([moved, born], at=T3)
    report = bring({name: new[name] for name in ("classes", "enrollments", "users", "demographics")}, "delta")
    assert (report.updated, report.rejected) == (2, 0), report.as_dict()
    old = records(rows, at=T2)
    report = bring({name: old[name] for name in ("enrollments", "demographics", "users")}, "delta")
    assert report.updated == 0, report.as_dict()
    kinds = ["demographics.csv"] * 2 + ["enrollments.csv"] * 2 + ["users.csv"] * 2
    assert sorted(one.file for one in report.warnings) == kinds
    # A deletion that is known is not undone by what was said before it.
    gone = {"sourcedId": f"u-{rows[2][COLUMN['教育ID']]}", "status": "tobedeleted", "dateLastModified": T3}
    assert bring({"users": [gone]}, "delta").deleted == 1
    assert bring({"users": records(rows[2:], at=T2)["users"]}, "delta").returned == 0


def test_one_student_under_two_records(schools: None) -> None:
    rows = clean(2, schools=SCHOOLS[:1])
    bring(records(rows, at=T1))
    twin = records([with_value(rows[0], 姓名="另一名")], at=T2)
    for name, key in (("users", "sourcedId"), ("roles", "userSourcedId"), ("enrollments", "userSourcedId")):
        twin[name][0][key] = "u-twin"
    twin["enrollments"][0]["sourcedId"] = "e-twin"
    only = {name: twin[name] for name in ("users", "roles", "enrollments")}
    report = bring(only, "delta")
    assert (report.rejected, report.updated) == (1, 0), report.as_dict()
    assert said(report) == [("users.csv", 2, "identifier", "ONEROSTER_TWICE")]
    # Where the other is deleted with it, the student has a new record.
    old = {"sourcedId": f"u-{rows[0][COLUMN['教育ID']]}", "status": "tobedeleted", "dateLastModified": T2}
    report = bring({**only, "users": [*twin["users"], old]}, "delta")
    assert (report.rejected, report.updated, report.deleted) == (0, 1, 0), report.as_dict()
