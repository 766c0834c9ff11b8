"""Who is on the registry's roll, as records of OneRoster 1.2; and how people change.

A record is kept with the one before it, so that a copy that lags behind can be played.
"""

import hashlib
import json
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from xueka.sandbox.common.store import Store

SCHEMA = """
create table if not exists record (
    kind text not null, id text not null, status text not null, modified text not null, body text not null,
    former text not null default '', primary key (kind, id)
);
create index if not exists record_modified on record (kind, modified);
create index if not exists record_school on record (kind, json_extract(body, '$.school.sourcedId'));
"""
#: Address → the kind that is answered from, its name in the answer, and what narrows it.
COLLECTIONS = {
    "orgs": ("orgs", "orgs", ""),
    "schools": ("orgs", "orgs", "json_extract(body, '$.type') = 'school'"),
    "academicSessions": ("academicSessions", "academicSessions", ""),
    "courses": ("courses", "courses", ""),
    "classes": ("classes", "classes", ""),
    "users": ("users", "users", ""),
    "students": ("users", "users", "json_extract(body, '$.roles[0].role') = 'student'"),
    "enrollments": ("enrollments", "enrollments", ""),
    "demographics": ("demographics", "demographics", ""),
}
#: What is asked of one school (`schools/{sourcedId}/…`): the collection that is narrowed, and how. Students
#: attend a school while they have an enrolment in a class of it.
OF_SCHOOL = {
    "students": (
        "students",
        "id in (select json_extract(e.body, '$.user.sourcedId') from record e where e.kind = 'enrollments'"
        " and e.status = 'active' and json_extract(e.body, '$.role') = 'student'"
        " and json_extract(e.body, '$.school.sourcedId') = ?)",
    ),
    "enrollments": ("enrollments", "json_extract(body, '$.school.sourcedId') = ?"),
    "classes": ("classes", "json_extract(body, '$.school.sourcedId') = ?"),
}
_COLUMNS = {"sourcedId": "id", "status": "status", "dateLastModified": "modified"}
_TERM = re.compile(r"\s*(\w+)\s*(!=|>=|<=|=|>|<|~)\s*'([^']*)'\s*")
_HREF = "/ims/oneroster/rostering/v1p2"
_BASE = {"小学": 0, "初中": 6, "高中": 9}
_SEX = {"男": "male", "女": "female"}
#: A person's words → property of her Beijing extension.
_BEIJING = {
    "name": "bj.name",
    "id_type": "bj.idType",
    "id_number": "bj.idNumber",
    "national_number": "bj.nationalNumber",
    "status": "bj.status",
    "guardian_name": "bj.guardianName",
    "guardian_phone": "bj.guardianPhone",
    "address": "bj.address",
}
Record = dict[str, Any]
Person = dict[str, str]


class BadQuery(Exception):
    """`code` is the standard's imsx_codeMinor."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class Roll:
    """`now` gives the moment that changes are stamped with."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store, self._now = store, now

    # ---- asked for

    def page(
        self, collection: str, query: Mapping[str, str], offset: int, limit: int, school: str = ""
    ) -> tuple[list[sqlite3.Row], int]:
        """Rows of one page and how many there are in all; of one school if it is given. Raises BadQuery."""
        kind, _, narrow = COLLECTIONS[collection]
        where, values = ["kind = ?"], [kind]
        if narrow:
            where.append(narrow)
        if school:
            where.append(OF_SCHOOL[collection][1])
            values.append(school)
        if text := query.get("filter", ""):
            term, further = _filter(text)
            where.append(term)
            values += further
        order = f"{_field(query.get('sort') or 'sourcedId', 'invalid_sort_field')}"
        order += " desc" if query.get("orderBy") == "desc" else ""
        condition = " and ".join(f"({each})" for each in where)
        # The names are the program's own or matched by \w+, the values are bound.
        counted = self._store.one(f"select count(*) as n from record where {condition}", *values)  # noqa: S608
        rows = self._store.all(
            f"select * from record where {condition} order by {order}, id limit ? offset ?",  # noqa: S608
            *values,
            limit,
            offset,
        )
        return rows, counted["n"] if counted else 0

    def one(self, collection: str, identity: str) -> sqlite3.Row | None:
        kind, _, narrow = COLLECTIONS[collection]
        further = f" and {narrow}" if narrow else ""
        return self._store.one(f"select * from record where kind = ? and id = ?{further}", kind, identity)  # noqa: S608

    def counts(self) -> dict[str, Any]:
        """Students in a class, and a digest of what both sides have to agree on (§10)."""
        text = "\n".join(sorted("|".join(each) for each in self.students())).encode()
        return {"students": len(self.students()), "digest": hashlib.sha256(text).hexdigest()}

    def students(self) -> list[tuple[str, ...]]:
        """Of each in a class: education ID, name, sex, school code, class."""
        return [
            tuple(str(each) for each in row)
            for row in self._store.all(
                """
                select json_extract(u.body, '$.identifier') as identifier,
                       json_extract(u.body, '$.metadata."bj.name"') as name,
                       json_extract(d.body, '$.sex') as sex,
                       json_extract(o.body, '$.identifier') as school,
                       json_extract(c.body, '$.title') as title
                  from record e
                  join record u on u.kind = 'users' and u.id = json_extract(e.body, '$.user.sourcedId')
                  join record d on d.kind = 'demographics' and d.id = u.id
                  join record c on c.kind = 'classes' and c.id = json_extract(e.body, '$.class.sourcedId')
                  join record o on o.kind = 'orgs' and o.id = json_extract(c.body, '$.school.sourcedId')
                 where e.kind = 'enrollments' and e.status = 'active' and u.status = 'active'
                """
            )
        ]

    # ---- changed

    def put(self, person: Person) -> str:
        """Enter somebody, or what is new of her; returns her sourcedId. Unknown words are a ValueError."""
        unknown = set(person) - _WORDS
        if unknown:
            raise ValueError(f"unknown: {sorted(unknown)}")
        school, user = f"org-{person['school_code']}", person.get("id") or f"u-{person['education_id']}"
        grade = f"{_BASE[person['stage']] + int(person['grade']):02d}"
        class_ = f"c-{person['school_code']}-{grade}-{person['class_name']}"
        with self._store.work():
            self._write(
                "orgs",
                school,
                {"name": person["school_name"], "type": "school", "identifier": person["school_code"]},
            )
            self._write("academicSessions", "term-1", _TERM_1)
            self._write("courses", "course-1", {"title": "行政班", "courseCode": "HR"})
            self._write("classes", class_, _class(person, grade, school))
            self._write("users", user, _user(person, grade, school))
            self._write("demographics", user, {"birthDate": person["birth_date"], "sex": _SEX[person["sex"]]})
            self._write("enrollments", f"e-{user}", _enrolment(user, class_, school))
        return user

    def correct(self, user: str, changes: Mapping[str, str], *, at: str = "") -> None:
        """Put right what is said of somebody; `at` dates the record (a correction that comes late)."""
        body = self._body("users", user)
        for word, value in changes.items():
            if word == "education_id":
                body["identifier"] = value
            elif word in ("birth_date", "sex"):
                other = self._body("demographics", user)
                other["birthDate" if word == "birth_date" else "sex"] = _SEX.get(value, value)
                self._write("demographics", user, other, at=at)
            else:
                body["metadata"][_BEIJING[word]] = value
                if word == "name":
                    body["familyName"], body["givenName"] = value[:1], value[1:]
        self._write("users", user, body, at=at)

    def move(self, user: str, person: Person) -> None:
        """To another class, school or district: the former enrolment ends, another begins."""
        school = f"org-{person['school_code']}"
        grade = f"{_BASE[person['stage']] + int(person['grade']):02d}"
        class_ = f"c-{person['school_code']}-{grade}-{person['class_name']}"
        with self._store.work():
            body = {"name": person["school_name"], "type": "school", "identifier": person["school_code"]}
            self._write("orgs", school, body)
            self._write("classes", class_, _class(person, grade, school))
            self.end_enrolment(user)
            number = self._store.number("enrolment")
            self._write("enrollments", f"e-{user}-{number}", _enrolment(user, class_, school))

    def end_enrolment(self, user: str) -> None:
        for row in self._store.all(
            "select * from record where kind = 'enrollments' and status = 'active'"
            " and json_extract(body, '$.user.sourcedId') = ?",
            user,
        ):
            self._write("enrollments", row["id"], json.loads(row["body"]), status="tobedeleted")

    def leave(self, user: str) -> None:
        """Everything that is said of her is to be deleted."""
        with self._store.work():
            self.end_enrolment(user)
            for kind in ("users", "demographics"):
                self._write(kind, user, self._body(kind, user), status="tobedeleted")

    def come_back(self, user: str) -> None:
        """She is there again, in the class of her last enrolment."""
        with self._store.work():
            for kind in ("users", "demographics"):
                self._write(kind, user, self._body(kind, user))
            row = self._store.one(
                "select * from record where kind = 'enrollments'"
                " and json_extract(body, '$.user.sourcedId') = ? order by modified desc, id desc limit 1",
                user,
            )
            if row:
                self._write("enrollments", row["id"], json.loads(row["body"]))

    def purge(self, kind: str, identity: str) -> None:
        """A record goes for good: lists move up under whoever reads them."""
        self._store.run("delete from record where kind = ? and id = ?", kind, identity)

    def users(self) -> list[str]:
        found = self._store.all(
            "select id from record where kind = 'users' and status = 'active' order by id"
        )
        return [row["id"] for row in found]

    def _body(self, kind: str, identity: str) -> Record:
        row = self._store.one("select body from record where kind = ? and id = ?", kind, identity)
        if row is None:
            raise LookupError(identity)
        found: Record = json.loads(row["body"])
        return found

    def _write(self, kind: str, identity: str, body: Record, *, status: str = "active", at: str = "") -> None:
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        row = self._store.one("select * from record where kind = ? and id = ?", kind, identity)
        if row and (row["body"], row["status"]) == (text, status):
            return
        former = json.dumps([row["status"], row["modified"], row["body"]]) if row else ""
        self._store.run(
            "insert into record values (?, ?, ?, ?, ?, ?) on conflict do update set status = excluded.status,"
            " modified = excluded.modified, body = excluded.body, former = excluded.former",
            *(kind, identity, status, at or stamp(self._now()), text, former),
        )


_WORDS = {"id", "school_code", "school_name", "stage", "grade", "class_name", "sex", "birth_date"} | {
    "education_id",
    *_BEIJING,
}
_TERM_1: Record = {
    "title": "2026 秋",
    "type": "term",
    "startDate": "2026-09-01",
    "endDate": "2027-01-31",
    "schoolYear": "2027",
}


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def shown(row: sqlite3.Row, *, stale: bool = False) -> Record:
    """One record as it is answered; `stale`: as it was before its last change."""
    status, modified, body = row["status"], row["modified"], row["body"]
    if stale and row["former"]:
        status, modified, body = json.loads(row["former"])
    return {"sourcedId": row["id"], "status": status, "dateLastModified": modified, **json.loads(body)}


def _ref(kind: str, identity: str) -> Record:
    plural = "classes" if kind == "class" else f"{kind}s"
    return {"href": f"{_HREF}/{plural}/{identity}", "sourcedId": identity, "type": kind}


def _class(person: Person, grade: str, school: str) -> Record:
    return {
        "title": person["class_name"],
        "classType": "homeroom",
        "grades": [grade],
        "course": _ref("course", "course-1"),
        "school": _ref("org", school),
        "terms": [_ref("academicSession", "term-1")],
    }


def _user(person: Person, grade: str, school: str) -> Record:
    name = person["name"]
    return {
        "enabledUser": "true",
        "username": f"u{person['education_id']}",
        "givenName": name[1:],
        "familyName": name[:1],
        "identifier": person["education_id"],
        "roles": [{"roleType": "primary", "role": "student", "org": _ref("org", school)}],
        "grades": [grade],
        "primaryOrg": _ref("org", school),
        "metadata": {column: person[word] for word, column in _BEIJING.items() if word in person},
    }


def _enrolment(user: str, class_: str, school: str) -> Record:
    return {
        "user": _ref("user", user),
        "class": _ref("class", class_),
        "school": _ref("org", school),
        "role": "student",
        "primary": "true",
    }


def _filter(text: str) -> tuple[str, Sequence[str]]:
    """One or two terms, as the standard allows, in SQL with their values."""
    logic = " AND " if " AND " in text else " OR "
    parts = text.split(logic)
    if len(parts) > 2:
        raise BadQuery("invalid_filter_field", "at most two terms")
    terms, values = [], []
    for part in parts:
        found = _TERM.fullmatch(part)
        if not found:
            raise BadQuery("invalid_filter_field", f"not a term: {part}")
        name, sign, value = found.groups()
        field = _field(name, "invalid_filter_field")
        terms.append(f"{field} like ?" if sign == "~" else f"{field} {sign} ?")
        values.append(f"%{value}%" if sign == "~" else value)
    return logic.strip().lower().join(f" {each} " for each in terms), values


def _field(name: str, code: str) -> str:
    if name in _COLUMNS:
        return _COLUMNS[name]
    if not re.fullmatch(r"\w+", name, re.ASCII):
        raise BadQuery(code, f"not a field: {name}")
    return f"json_extract(body, '$.{name}')"
