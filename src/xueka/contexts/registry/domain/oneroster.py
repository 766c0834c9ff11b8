"""OneRoster 1.2 as it is published: files and columns; and how they become a roster.

docs/interfaces/oneroster.md
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from xueka.contexts.registry.domain.columns import Column
from xueka.contexts.registry.domain.roster import RosterRow
from xueka.contexts.registry.domain.vocabulary import ENROLLED, NO_DOCUMENT

VERSION = "1.2"
ABSENT, BULK, DELTA = "absent", "bulk", "delta"
MODES = (ABSENT, BULK, DELTA)
ACTIVE, DELETED = "active", "tobedeleted"
FORMERLY = {"inactive": DELETED}
"""A word of edition 1.0 that the standard still wants to be understood."""

_EVERY = ("sourcedId", "status", "dateLastModified")
_FILES = {
    "orgs": ("name", "type", "identifier", "parentSourcedId"),
    "users": (
        *("enabledUser", "username", "userIds", "givenName", "familyName", "middleName", "identifier"),
        *("email", "sms", "phone", "agentSourcedIds", "grades", "password", "userMasterIdentifier"),
        *("resourceSourcedIds", "preferredGivenName", "preferredMiddleName", "preferredFamilyName"),
        *("primaryOrgSourcedId", "pronouns"),
    ),
    "roles": (
        *("userSourcedId", "roleType", "role", "beginDate", "endDate", "orgSourcedId"),
        "userProfileSourcedId",
    ),
    "classes": (
        *("title", "grades", "courseSourcedId", "classCode", "classType", "location", "schoolSourcedId"),
        *("termSourcedIds", "subjects", "subjectCodes", "periods"),
    ),
    "enrollments": (
        *("classSourcedId", "schoolSourcedId", "userSourcedId", "role", "primary", "beginDate", "endDate"),
    ),
    "demographics": (
        *("birthDate", "sex", "americanIndianOrAlaskaNative", "asian", "blackOrAfricanAmerican"),
        *("nativeHawaiianOrOtherPacificIslander", "white", "demographicRaceTwoOrMoreRaces"),
        *("hispanicOrLatinoEthnicity", "countryOfBirthCode", "stateOfBirthAbbreviation", "cityOfBirth"),
        "publicSchoolResidenceStatus",
    ),
}
_NEEDED = {
    "orgs": ("name", "type", "identifier"),
    "users": ("givenName", "familyName", "identifier"),
    "roles": ("userSourcedId", "role"),
    "classes": ("title", "grades", "schoolSourcedId"),
    "enrollments": ("classSourcedId", "userSourcedId", "role"),
    "demographics": ("birthDate", "sex"),
}
READ = tuple(_FILES)
"""The files that are read; the others of the standard say nothing that a card needs."""

UNREAD = (
    *("academicSessions", "categories", "classResources", "courses", "courseResources"),
    *("lineItemLearningObjectiveIds", "lineItems", "lineItemScoreScales", "resources"),
    *("resultLearningObjectiveIds", "results", "resultScoreScales", "scoreScales", "userProfiles"),
    "userResources",
)

MANIFEST = (Column("propertyName", "propertyName"), Column("value", "value"))

SEXES = {"male": "男", "female": "女"}
STUDENT_ROLE, GUARDIAN_ROLES = "student", ("guardian", "parent", "relative")
HOMEROOM = "homeroom"

GRADES = {
    **{f"{grade:02d}": ("小学", str(grade)) for grade in range(1, 7)},
    **{f"{grade + 6:02d}": ("初中", str(grade)) for grade in range(1, 4)},
    **{f"{grade + 9:02d}": ("高中", str(grade)) for grade in range(1, 4)},
}
"""Grade codes of classes.csv where the class does not say stage and grade itself."""

COLUMNS = {
    "education_id": "users.identifier",
    "name": "users.metadata.bj.name",
    "sex": "demographics.sex",
    "birth_date": "demographics.birthDate",
    "id_type": "users.metadata.bj.idType",
    "id_number": "users.metadata.bj.idNumber",
    "national_number": "users.metadata.bj.nationalNumber",
    "status": "users.metadata.bj.status",
    "school_code": "orgs.identifier",
    "stage": "classes.metadata.bj.stage",
    "grade": "classes.metadata.bj.grade",
    "class_name": "classes.title",
    "guardian_name": "users.metadata.bj.guardianName",
    "guardian_phone": "users.metadata.bj.guardianPhone",
    "address": "users.metadata.bj.address",
}
"""Where each column of a roster stands, unless the configuration says otherwise: file and column."""

ELSEWHERE = {
    "name": ("users", "familyName"),
    "stage": ("classes", "grades"),
    "grade": ("classes", "grades"),
    "guardian_name": ("users", "agentSourcedIds"),
    "guardian_phone": ("users", "agentSourcedIds"),
}
"""What the standard's own columns say instead where the extension column is not in the file."""

DEFAULTS = {"id_type": NO_DOCUMENT, "status": ENROLLED}
"""Of a new student of whom the package says nothing in this column; everything else is empty."""

_SOURCE = re.compile(
    r"(?P<file>users|demographics|classes|orgs)\.(?P<column>[A-Za-z][A-Za-z0-9_.]*)", re.ASCII
)
_PLACED = {
    "school_code": ("orgs",),
    "stage": ("classes",),
    "grade": ("classes",),
    "class_name": ("classes",),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """`sources` gives file and column of each column of a roster, `grades` stage and grade of each code."""

    sources: Mapping[str, tuple[str, str]]
    grades: Mapping[str, tuple[str, str]]


def read_mapping(columns: Mapping[str, str], grades: Mapping[str, str]) -> Reading:
    """The default with the changes of the configuration: `{"status": "users.metadata.bj.state"}`, and
    `{"06": "初中 1"}`. Raises ValueError, at the start and not at the first file, when one is wrong.
    """
    sources = {}
    for key, text in {**COLUMNS, **columns}.items():
        found = _SOURCE.fullmatch(text)
        if key not in RosterRow._fields or not found:
            raise ValueError(f"XUEKA_ONEROSTER_COLUMNS: {key}: {text!r}")
        if found["file"] not in _PLACED.get(key, ("users", "demographics")):
            raise ValueError(f"XUEKA_ONEROSTER_COLUMNS: {key} cannot stand in {found['file']}")
        sources[key] = (found["file"], found["column"])
    places = dict(GRADES)
    for code, text in grades.items():
        stage, _, grade = text.partition(" ")
        if not grade:
            raise ValueError(f"XUEKA_ONEROSTER_GRADES: {code}: {text!r}")
        places[code] = (stage, grade)
    return Reading(sources, places)


def columns_of(file: str, extensions: Mapping[str, tuple[str, str]]) -> tuple[Column, ...]:
    """The columns of one file, in the order of the standard, with those extensions that are read."""
    standard = (*_EVERY, *_FILES[file])
    needed = {"sourcedId", *_NEEDED[file]}
    further = dict.fromkeys(column for of, column in extensions.values() if of == file)
    return (
        *(Column(name, name, required=name in needed) for name in standard),
        *(Column(name, name, required=False) for name in further if name not in standard),
    )


def template(file: str) -> tuple[str, ...]:
    """The headings of one file as the standard orders them."""
    return (*_EVERY, *_FILES[file])
