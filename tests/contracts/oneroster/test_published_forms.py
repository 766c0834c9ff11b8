"""A package with every file of OneRoster 1.2: the published columns in their order and value forms."""

import pytest
from django.test import override_settings

from tests.support.oneroster import OTHERS, STANDARD, Record, files_of, text_of, zip_of
from tests.support.registry import OPERATOR, SCHOOLS, load_schools
from xueka.contexts.registry.api import Student, import_oneroster
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
