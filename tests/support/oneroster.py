"""OneRoster 1.2 packages of synthetic students: the files of the standard with every column in its order."""

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence

from tests.support.rosters import COLUMN, Row

STANDARD = {
    "academicSessions": "title,type,startDate,endDate,parentSourcedId,schoolYear",
    "orgs": "name,type,identifier,parentSourcedId",
    "courses": "schoolYearSourcedId,title,courseCode,grades,orgSourcedId,subjects,subjectCodes",
    "classes": "title,grades,courseSourcedId,classCode,classType,location,schoolSourcedId,termSourcedIds,"
    "subjects,subjectCodes,periods",
    "users": "enabledUser,username,userIds,givenName,familyName,middleName,identifier,email,sms,phone,"
    "agentSourcedIds,grades,password,userMasterIdentifier,resourceSourcedIds,preferredGivenName,"
    "preferredMiddleName,preferredFamilyName,primaryOrgSourcedId,pronouns",
    "roles": "userSourcedId,roleType,role,beginDate,endDate,orgSourcedId,userProfileSourcedId",
    "userProfiles": "userSourcedId,profileType,vendorId,applicationId,description,credentialType,"
    "username,password",
    "enrollments": "classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate",
    "demographics": "birthDate,sex,americanIndianOrAlaskaNative,asian,blackOrAfricanAmerican,"
    "nativeHawaiianOrOtherPacificIslander,white,demographicRaceTwoOrMoreRaces,hispanicOrLatinoEthnicity,"
    "countryOfBirthCode,stateOfBirthAbbreviation,cityOfBirth,publicSchoolResidenceStatus",
}
OTHERS = (
    *("categories", "classResources", "courseResources", "lineItemLearningObjectiveIds", "lineItems"),
    *("lineItemScoreScales", "resources", "resultLearningObjectiveIds", "results", "resultScoreScales"),
    *("scoreScales", "userResources"),
)
BEIJING = {
    "metadata.bj.name": "姓名",
    "metadata.bj.idType": "证件类型",
    "metadata.bj.idNumber": "证件号码",
    "metadata.bj.nationalNumber": "全国学籍号",
    "metadata.bj.status": "学籍状态",
    "metadata.bj.guardianName": "监护人姓名",
    "metadata.bj.guardianPhone": "监护人手机",
    "metadata.bj.address": "现住址",
}
CODES = {"小学": 0, "初中": 6, "高中": 9}
Record = dict[str, str]


def records(rows: Iterable[Row], *, beijing: bool = True, at: str = "") -> dict[str, list[Record]]:
    """The records of each file for these rows of a roster; `at` is when they were changed, for a delta."""
    found: dict[str, dict[str, Record]] = {name: {} for name in STANDARD}
    every = {"status": "active" if at else "", "dateLastModified": at}
    for row in rows:
        value = {header: row[place] for header, place in COLUMN.items()}
        school, user = f"org-{value['学校标识码']}", f"u-{value['教育ID']}"
        grade = f"{CODES[value['学段']] + int(value['年级']):02d}"
        class_ = f"c-{value['学校标识码']}-{grade}-{value['班级']}"
        found["orgs"][school] = {
            "name": value["学校名称"], "type": "school", "identifier": value["学校标识码"],
        }  # fmt: skip
        found["classes"][class_] = {
            "title": value["班级"], "grades": grade, "courseSourcedId": "course-1", "classType": "homeroom",
            "schoolSourcedId": school, "termSourcedIds": "term-1",
        }  # fmt: skip
        found["users"][user] = {
            "enabledUser": "true", "username": user, "givenName": value["姓名"][1:],
            "familyName": value["姓名"][:1], "identifier": value["教育ID"], "grades": grade,
            "primaryOrgSourcedId": school,
            **({column: value[header] for column, header in BEIJING.items()} if beijing else {}),
        }  # fmt: skip
        found["roles"][f"r-{user}"] = {
            "userSourcedId": user, "roleType": "primary", "role": "student", "orgSourcedId": school,
        }  # fmt: skip
        found["enrollments"][f"e-{user}"] = {
            "classSourcedId": class_, "schoolSourcedId": school, "userSourcedId": user, "role": "student",
            "primary": "false",
        }  # fmt: skip
        sex = {"男": "male", "女": "female"}.get(value["性别"], value["性别"])
        found["demographics"][user] = {"birthDate": value["出生日期"], "sex": sex}
    found["courses"]["course-1"] = {"title": "行政班", "schoolYearSourcedId": "year-1"}
    found["academicSessions"]["term-1"] = {
        "title": "2026 秋", "type": "term", "startDate": "2026-09-01", "endDate": "2027-01-31",
        "schoolYear": "2027",
    }  # fmt: skip
    return {
        name: [{"sourcedId": identity, **every, **rest} for identity, rest in found[name].items()]
        for name in found
    }


def files_of(
    lists: Mapping[str, Sequence[Record]], mode: str = "bulk", *, modes: Mapping[str, str] | None = None
) -> dict[str, bytes]:
    """The files of these records with their manifest; what is not there is absent."""
    files = {}
    said = {
        name: (modes or {}).get(name, mode) if name in lists else "absent" for name in (*STANDARD, *OTHERS)
    }
    for name, rows in lists.items():
        header = ["sourcedId", "status", "dateLastModified", *STANDARD[name].split(",")]
        header += sorted({key for row in rows for key in row} - set(header))
        files[f"{name}.csv"] = text_of(header, [[row.get(key, "") for key in header] for row in rows])
    manifest = [["manifest.version", "1.0"], ["oneroster.version", "1.2"]]
    manifest += [[f"file.{name}", value] for name, value in sorted(said.items())]
    manifest += [["source.systemName", "合成学籍系统"], ["source.systemCode", "synthetic"]]
    return {"manifest.csv": text_of(["propertyName", "value"], manifest), **files}


def text_of(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows([header, *rows])
    return text.getvalue().encode()


def zip_of(files: Mapping[str, bytes], folder: str = "") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(folder + name, content)
    return packed.getvalue()
