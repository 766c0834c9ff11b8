"""Records of OneRoster 1.2 by REST: their shape, and the columns of the CSV binding that they become.

docs/interfaces/oneroster.md §8
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

TEXT, TEXTS, REF, REFS, WHOLE = (
    "文字",
    "文字的列表",
    "带 sourcedId 的对象",
    "带 sourcedId 的对象的列表",
    "对象",
)

KINDS = ("orgs", "classes", "users", "enrollments", "demographics")
"""What is fetched, in this order: what is pointed at comes before what points at it."""

_EVERY = {"sourcedId": TEXT, "status": TEXT, "dateLastModified": TEXT}
_SHAPES = {
    "orgs": {"name": TEXT, "type": TEXT, "identifier": TEXT, "parent": REF},
    "classes": {"title": TEXT, "grades": TEXTS, "classType": TEXT, "school": REF},
    "users": {
        **dict.fromkeys(("givenName", "familyName", "identifier", "sms", "phone"), TEXT),
        "agents": REFS,
        "roles": WHOLE,
        "primaryOrg": REF,
    },
    "enrollments": {
        **dict.fromkeys(("role", "primary", "beginDate", "endDate"), TEXT),
        "user": REF,
        "class": REF,
        "school": REF,
    },
    "demographics": {"birthDate": TEXT, "sex": TEXT},
}
_NEEDED = {
    "orgs": ("name", "type"),
    "classes": ("title", "school"),
    "users": ("givenName", "familyName"),
    "enrollments": ("user", "class", "role"),
    "demographics": (),
}
_UNREAD = {
    "orgs": {"children"},
    "classes": {
        "classCode",
        "course",
        "location",
        "terms",
        "subjects",
        "subjectCodes",
        "periods",
        "resources",
    },
    "users": {
        *("userMasterIdentifier", "username", "userIds", "enabledUser", "middleName", "preferredFirstName"),
        *("preferredMiddleName", "preferredLastName", "pronouns", "email", "grades", "password", "resources"),
        "userProfiles",
    },
    "enrollments": set[str](),
    "demographics": {
        *("americanIndianOrAlaskaNative", "asian", "blackOrAfricanAmerican", "white", "cityOfBirth"),
        *("nativeHawaiianOrOtherPacificIslander", "demographicRaceTwoOrMoreRaces", "countryOfBirthCode"),
        *("hispanicOrLatinoEthnicity", "stateOfBirthAbbreviation", "publicSchoolResidenceStatus"),
    },
}
_COLUMN = {
    "parent": "parentSourcedId",
    "school": "schoolSourcedId",
    "agents": "agentSourcedIds",
    "primaryOrg": "primaryOrgSourcedId",
    "user": "userSourcedId",
    "class": "classSourcedId",
}
UNSAID = {"identifier", "birthDate", "sex"}
"""Columns of which a record without the property says nothing; others are empty then."""


@dataclass(frozen=True, slots=True)
class Drift:
    """A record that is not of the agreed shape. `refused`: it is of no use; else it was read all the same."""

    field: str
    found: str
    expected: str
    refused: bool = False


_ASIDE = {kind: {*_UNREAD[kind], "metadata", *({"roles"} if kind == "users" else ())} for kind in KINDS}
_PLAIN = {
    kind: {name: shape for name, shape in {**_EVERY, **_SHAPES[kind]}.items() if name != "roles"}
    for kind in KINDS
}
_CERTAIN = {kind: {_COLUMN.get(name, name) for name in (*_EVERY, *_NEEDED[kind])} for kind in KINDS}
_BLANK = {
    kind: dict.fromkeys({_COLUMN.get(name, name) for name in _PLAIN[kind]} - _CERTAIN[kind] - UNSAID, "")
    for kind in KINDS
}


def plain(kind: str, record: Any) -> tuple[dict[str, str], list[str]] | None:
    """Cells and roles of a record that is exactly of the agreed shape; None: `Shaped` has to look closely.

    It says what `Shaped` would say without a word of drift; a test holds the two together.
    """
    if record.__class__ is not dict:
        return None
    shapes, cells = _PLAIN[kind], dict(_BLANK[kind])
    for name, value in record.items():
        shape = shapes.get(name)
        if shape is TEXT and value.__class__ is str:
            cells[name] = value
        elif shape is None:
            if name not in _ASIDE[kind]:
                return None
        elif value is not None:
            said = _exactly(value, shape)
            if said is None:
                return None
            cells[_COLUMN.get(name) or name] = said
    metadata, roles = record.get("metadata"), record.get("roles")
    metadata, roles = {} if metadata is None else metadata, [] if roles is None else roles
    whole = _CERTAIN[kind] <= cells.keys() and cells["sourcedId"]
    if not whole or metadata.__class__ is not dict or roles.__class__ is not list:
        return None
    if not all(value.__class__ is str for value in metadata.values()):
        return None
    cells.update({f"metadata.{name}": value for name, value in metadata.items()})
    words: list[Any] = [each.get("role") if each.__class__ is dict else None for each in roles]
    return (cells, words) if all(word and word.__class__ is str for word in words) else None


def _exactly(value: Any, shape: str) -> str | None:
    if shape is REF:
        value = value.get("sourcedId") if value.__class__ is dict else None
    elif shape is not TEXT:
        value = _read(value, shape) if value.__class__ is list else None
    elif value.__class__ is bool:
        value = "true" if value else "false"
    return value if value.__class__ is str else None


class Shaped:
    """One record as columns. `cells` holds what it says; `roles` the words of a user's roles."""

    __slots__ = ("cells", "drifts", "roles")

    def __init__(self, kind: str, record: Mapping[str, Any]) -> None:
        self.cells: dict[str, str] = {}
        self.drifts: list[Drift] = []
        self.roles: list[str] = []
        shapes = {**_EVERY, **_SHAPES[kind]}
        for name, shape in shapes.items():
            value = record.get(name)
            if value is None:
                self._absent(kind, name, shape)
            elif name == "roles":
                self._roles(value)
            else:
                self._put(name, value, shape, needed=name in ("sourcedId", *_NEEDED[kind]))
        if self.cells.get("sourcedId") == "" and self.usable:
            self.drifts.append(Drift("sourcedId", "空白", TEXT, refused=True))
        for name in record.keys() - shapes.keys() - _UNREAD[kind] - {"metadata"}:
            self.drifts.append(Drift(name, "标准里没有的属性", "没有"))
        self._metadata(record.get("metadata"))

    @property
    def usable(self) -> bool:
        return not any(each.refused for each in self.drifts)

    def _absent(self, kind: str, name: str, shape: str) -> None:
        needed = name in ("sourcedId", *_NEEDED[kind])
        deleted = self.cells.get("status") == "tobedeleted"
        if needed and not (deleted and name != "sourcedId"):
            self.drifts.append(Drift(name, "没有", shape, refused=True))
        elif name in _EVERY and not needed:
            self.drifts.append(Drift(name, "没有", shape))
        if name not in UNSAID and name != "roles":
            self.cells[_COLUMN.get(name, name)] = ""

    def _put(self, name: str, value: Any, shape: str, *, needed: bool) -> None:
        said = _read(value, shape)
        if said is None:
            # What a record stands for must be certain; the rest of it is empty rather than guessed.
            certain = needed or name in UNSAID
            self.drifts.append(Drift(name, _kind_of(value), shape, refused=certain))
            said = ""
        elif not _exact(value, shape):
            self.drifts.append(Drift(name, _kind_of(value), shape))
        self.cells[_COLUMN.get(name, name)] = said

    def _roles(self, value: Any) -> None:
        found = value if isinstance(value, list) else [value]
        self.roles = [each["role"] for each in found if isinstance(each, dict) and _text(each.get("role"))]
        if len(self.roles) != len(found) or not isinstance(value, list):
            self.drifts.append(Drift("roles", _kind_of(value), "列表，每项有 role"))

    def _metadata(self, value: Any) -> None:
        if value is None:
            return
        if not isinstance(value, dict):
            self.drifts.append(Drift("metadata", _kind_of(value), WHOLE))
            return
        for path, said in _leaves("metadata", value):
            text = "" if said is None else _read(said, TEXT)
            if text is None:
                self.drifts.append(Drift(path, _kind_of(said), TEXT, refused=True))
            else:
                self.cells[path] = text


def _leaves(path: str, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """`{"bj.name": …}` and `{"bj": {"name": …}}` are the same."""
    for name, each in value.items():
        if isinstance(each, dict):
            yield from _leaves(f"{path}.{name}", each)
        else:
            yield f"{path}.{name}", each


def _read(value: Any, shape: str) -> str | None:
    """What the value says, or None where it is of another shape."""
    if shape == TEXT:
        return _text(value)
    if shape == REF:
        return _reference(value)
    one = _text if shape == TEXTS else _reference
    found = [one(each) for each in (value if isinstance(value, list) else [value])]
    return None if None in found else ",".join(filter(None, found))


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return value if isinstance(value, str) else None


def _reference(value: Any) -> str | None:
    return _text(value.get("sourcedId")) if isinstance(value, dict) else None


def _exact(value: Any, shape: str) -> bool:
    if shape in (TEXTS, REFS):
        return isinstance(value, list)
    # `primary` and `enabledUser` are words in the standard, and truth values in many systems.
    return shape == REF or isinstance(value, str | bool)


def _kind_of(value: Any) -> str:
    words = {bool: "真假值", int: "数字", float: "小数", str: "文字", list: "列表", dict: "对象"}
    return words.get(type(value), type(value).__name__)
