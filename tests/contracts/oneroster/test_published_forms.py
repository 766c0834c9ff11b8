"""A package with every file of OneRoster 1.2: the published columns in their order and value forms."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings

from tests.support.oneroster import OTHERS, STANDARD, Record, files_of, text_of, zip_of
from tests.support.registry import OPERATOR, SCHOOLS, load_schools
from xueka.contexts.registry.api import Student, import_oneroster
from xueka.kernel import clock
from xueka.platform.crypto.fields import unseal

pytestmark = pytest.mark.django_db(databases=["default"])

EVERY = {"status": "active", "dateLastModified": "2026-09-15T08:30:15.123Z"}
OTHER_FILES = {
    "categories": "title,weight",
    "classResources": "title,classSourcedId,resourceSourcedId",
    "resources": "vendorResourceId,title,roles,importance,vendorId,applicationId",
    "userResources": "userSourcedId,orgSourcedId,classSourcedId,resourceSourcedId",
}
assert set(OTHER_FILES) < set(OTHERS)


def package() -> dict[str, list[Record]]:
    """A district with a school, a course and its class; a pupil, her mother, a teacher."""
    school = SCHOOLS[0]
    return {
        "academicSessions": [
            {"sourcedId": "year-1", "title": "2026-2027", "type": "schoolYear", "startDate": "2026-09-01",
             "endDate": "2027-08-31", "schoolYear": "2027"},
            {"sourcedId": "term-1", "title": "2026 秋", "type": "term", "startDate": "2026-09-01",
             "endDate": "2027-01-31", "parentSourcedId": "year-1", "schoolYear": "2027"},
        ],
        "orgs": [
            {"sourcedId": "org-district", "name": "区教委", "type": "district", "identifier": school[3]},
            {"sourcedId": "org-1", "name": school[1], "type": "school", "identifier": school[0],
             "parentSourcedId": "org-district"},
        ],
        "courses": [{"sourcedId": "course-1", "schoolYearSourcedId": "year-1", "title": "行政班",
                     "courseCode": "HR-1", "grades": "01,02", "orgSourcedId": "org-1"}],
        "classes": [{"sourcedId": "class-1", "title": "3班", "grades": "02", "courseSourcedId": "course-1",
                     "classCode": "2-3", "classType": "homeroom", "schoolSourcedId": "org-1",
                     "termSourcedIds": "term-1", "subjects": "德育,综合", "periods": "1,2"}],
        "users": [
            {"sourcedId": "u-1", "enabledUser": "true", "username": "pupil.1", "userIds": "{LDAP:p1},{IL:2}",
             "givenName": "子涵", "familyName": "王", "identifier": "20260001", "agentSourcedIds": "u-2",
             "grades": "02", "primaryOrgSourcedId": "org-1", "pronouns": "she/her"},
            {"sourcedId": "u-2", "enabledUser": "false", "username": "mother.1", "givenName": "芳",
             "familyName": "李", "sms": "13800001234", "phone": "01012345678"},
            {"sourcedId": "u-3", "enabledUser": "true", "username": "teacher.1", "givenName": "强",
             "familyName": "张", "email": "t@example.org"},
        ],
        "roles": [
            {"sourcedId": "r-1", "userSourcedId": "u-1", "roleType": "primary", "role": "student",
             "beginDate": "2026-09-01", "orgSourcedId": "org-1"},
            {"sourcedId": "r-2", "userSourcedId": "u-2", "roleType": "primary", "role": "guardian",
             "orgSourcedId": "org-1"},
            {"sourcedId": "r-3", "userSourcedId": "u-3", "roleType": "primary", "role": "teacher",
             "orgSourcedId": "org-1"},
        ],
        "enrollments": [
            {"sourcedId": "e-1", "classSourcedId": "class-1", "schoolSourcedId": "org-1", "primary": "false",
             "userSourcedId": "u-1", "role": "student", "beginDate": "2026-09-01"},
            {"sourcedId": "e-2", "classSourcedId": "class-1", "schoolSourcedId": "org-1", "primary": "true",
             "userSourcedId": "u-3", "role": "teacher"},
        ],
        "demographics": [{"sourcedId": "u-1", "birthDate": "2018-04-05", "sex": "female", "asian": "true",
                          "countryOfBirthCode": "CN", "publicSchoolResidenceStatus": "01652"}],
    }  # fmt: skip


@pytest.mark.parametrize("every", [{"status": "", "dateLastModified": ""}, EVERY], ids=["bulk", "delta"])
def test_the_whole_standard_loads(db: None, every: Record) -> None:
    load_schools()
    lists = {name: [{**every, **row} for row in rows] for name, rows in package().items()}
    assert lists.keys() <= STANDARD.keys()
    files = files_of(lists, "delta" if every["status"] else "bulk")
    for name, columns in OTHER_FILES.items():
        header = ["sourcedId", "status", "dateLastModified", *columns.split(",")]
        files[f"{name}.csv"] = text_of(header, [[f"{name}-1", *([""] * (len(header) - 1))]])
        files["manifest.csv"] = files["manifest.csv"].replace(
            f"file.{name},absent".encode(), f"file.{name},bulk".encode()
        )
    with override_settings(REGISTRY_EDUCATION_ID_PATTERN=r"\d{8}"):
        report = import_oneroster(OPERATOR, zip_of(files), "published.zip")
    assert (report.created, report.rejected, report.others) == (1, 0, 2), report.as_dict()
    student = Student.objects.get(education_id="20260001")
    place = student.school_class
    assert (student.name, student.sex, place.stage, place.grade, place.name) == (
        "王子涵",
        "女",
        "小学",
        2,
        "3班",
    )
    sealed = unseal(bytes(student.envelope))
    assert (sealed["birth_date"], sealed["guardians"][0]["phone"]) == ("2018-04-05", "13800001234")


def brought_in(lists: dict[str, list[Record]], mode: str = "bulk") -> Any:
    with override_settings(REGISTRY_EDUCATION_ID_PATTERN=r"\d{8}"):
        return import_oneroster(OPERATOR, zip_of(files_of(lists, mode)), "published.zip")


@pytest.mark.parametrize("named", [(), ("orgs",), ("academicSessions", "courses")])
def test_a_package_without_people_says_that_nothing_has_changed(db: None, named: tuple[str, ...]) -> None:
    """A manifest alone means just that; and a file that stands on no other may come alone."""
    load_schools()
    assert brought_in(package()).created == 1
    report = brought_in({name: package()[name] for name in named})
    assert (report.rows, report.deleted, report.left_out) == (0, 0, 0), report.as_dict()
    assert [each.code for each in report.warnings] == ["ONEROSTER_NOTHING"]


def test_what_was_never_here_may_be_deleted(db: None) -> None:
    """And every later package is read as before."""
    load_schools()
    gone = {"status": "tobedeleted", "dateLastModified": "2026-09-15T08:30:15.123Z"}
    strangers = {
        name: [{**package()[name][0], **gone, "sourcedId": f"never-{name}"}]
        for name in ("orgs", "classes", "users", "enrollments", "demographics")
    }
    assert brought_in(strangers, "delta").rows == 0
    assert brought_in(package()).created == 1
    moved = [{**EVERY, **package()["enrollments"][0], "sourcedId": "e-9", "classSourcedId": "never-classes"}]
    report = brought_in({"enrollments": moved}, "delta")
    assert [each.code for each in report.errors] == ["ONEROSTER_REFERENCE"], report.as_dict()


@pytest.mark.parametrize("word", ["tobedeleted", "inactive"])
def test_a_record_is_deleted_in_the_words_of_any_edition(db: None, word: str) -> None:
    load_schools()
    assert brought_in(package()).created == 1
    gone = [{**package()["users"][0], **EVERY, "status": word}]
    report = brought_in({"users": gone}, "delta")
    assert (report.deleted, report.rejected) == (1, 0), report.as_dict()


def test_a_record_dated_in_the_future_does_not_outrank_what_is_said_later(db: None) -> None:
    load_schools()
    assert brought_in(package()).created == 1
    user = {**package()["users"][0], "status": "active"}
    report = brought_in(
        {"users": [{**user, "familyName": "赵", "dateLastModified": "2099-01-01T00:00:00Z"}]}, "delta"
    )
    assert (report.updated, [each.code for each in report.warnings]) == (1, ["ONEROSTER_DATE"])
    tomorrow = (clock.now() + timedelta(hours=1)).isoformat()
    report = brought_in({"users": [{**user, "familyName": "钱", "dateLastModified": tomorrow}]}, "delta")
    assert (report.updated, report.warnings) == (1, []), report.as_dict()
    assert Student.objects.get().name == "钱子涵"


@pytest.mark.parametrize(("days", "there"), [(0, 0), (1, 1)])
def test_an_enrolment_is_over_on_the_day_of_its_end(db: None, days: int, there: int) -> None:
    load_schools()
    lists = package()
    lists["enrollments"][0]["endDate"] = (clock.today() + timedelta(days=days)).isoformat()
    report = brought_in(lists)
    assert (report.created, report.rejected) == (there, 1 - there), report.as_dict()


def test_words_that_may_be_added_to_are_read(db: None) -> None:
    """`ext:` in front of a word of one's own: a role of no student, a kind of class. Such a sex is none."""
    load_schools()
    lists = package()
    lists["roles"][2]["role"] = "ext:nurse"
    lists["enrollments"][1]["role"] = "ext:helper"
    lists["classes"][0]["classType"] = "ext:club"
    lists["orgs"][0]["type"] = "ext:bureau"
    assert brought_in(lists).created == 1
    for sex in ("unspecified", "other", "ext:none"):
        lists["demographics"][0]["sex"] = sex
        report = brought_in(lists)
        assert [(each.code, each.file) for each in report.errors] == [("GENDER_UNKNOWN", "demographics.csv")]


def test_both_editions_of_the_users_are_read(db: None) -> None:
    """The first edition has a column of resources that the corrected one has not."""
    load_schools()
    files = files_of(package())
    assert b",resourceSourcedIds," in files["users.csv"]
    header, *lines = files["users.csv"].decode().splitlines()
    place = header.split(",").index("resourceSourcedIds")
    assert all('"' not in line.split(",")[place] for line in lines)
    with override_settings(REGISTRY_EDUCATION_ID_PATTERN=r"\d{8}"):
        assert import_oneroster(OPERATOR, zip_of(files), "first.zip").created == 1
        names = [name for name in header.split(",") if name != "resourceSourcedIds"]
        rows = [[each.get(name, "") for name in names] for each in package()["users"]]
        files["users.csv"] = text_of(names, rows)
        report = import_oneroster(OPERATOR, zip_of(files), "corrected.zip")
    assert (report.unchanged, report.rejected) == (1, 0), report.as_dict()
    assert report.warnings == []
