"""Records as they come by REST: what is read without a close look, and which of two records counts."""

import json
from itertools import product
from typing import Any

import pytest

from xueka.contexts.registry.domain.oneroster_rest import KINDS, Shaped, plain
from xueka.contexts.registry.oneroster.frames import LINE
from xueka.contexts.registry.oneroster.records import package_of

Record = dict[str, Any]
REF = {"sourcedId": "x1", "type": "org", "href": "/x1"}
EVERY: Record = {"status": "active", "dateLastModified": "2026-11-26T02:00:00.000Z"}
RECORDS: dict[str, Record] = {
    "orgs": {"name": "第一小学", "type": "school", "identifier": "2111800001", "parent": REF},
    "classes": {
        "title": "1班", "grades": ["01"], "classType": "homeroom", "school": REF, "terms": [REF],
        "metadata": {"bj.stage": "小学"},
    },
    "users": {
        "givenName": "文", "familyName": "欧阳", "identifier": "12345678", "sms": "13800001234",
        "agents": [REF, REF], "roles": [{"role": "student"}, {"role": "guardian"}], "primaryOrg": REF,
        "enabledUser": "true", "metadata": {"bj.name": "欧阳文", "bj.address": ""},
    },
    "enrollments": {"user": REF, "class": REF, "school": REF, "role": "student", "primary": True},
    "demographics": {"birthDate": "2015-09-01", "sex": "female"},
}  # fmt: skip
ODD: list[Any] = [
    *(None, "", "text", 5, 2.5, True, [], {}, ["a", 3], [None], [[]], REF, [REF], [{"sourcedId": 7}]),
    *({"sourcedId": None}, {"sourcedId": 8}, {"role": "student"}, [{"role": "student"}, {}], [{"role": ""}]),
    *({"bj": {"name": "欧阳文"}}, {"bj.name": None}, {"bj.name": 3}, {"bj.name": ["x"]}),
]


def record(kind: str, identity: str = "a1", **changes: Any) -> Record:
    return {"sourcedId": identity, **EVERY, **RECORDS[kind], **changes}


def same(kind: str, one: Record) -> bool:
    """Whether it is read without a close look; then a close look must say the same."""
    found = plain(kind, one)
    if found is not None:
        shaped = Shaped(kind, one)
        assert (found, shaped.drifts) == ((shaped.cells, shaped.roles), []), one
    return found is not None


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_read_in_passing_is_what_a_close_look_says(kind: str) -> None:
    assert same(kind, record(kind))
    names = [*record(kind), "metadata", "xBus", "sms", "agents", "roles", "grades"]
    read = 0
    for name, value in product(names, ODD):
        read += same(kind, record(kind, **{name: value}))
    for name in record(kind):
        for status in ("active", "tobedeleted"):
            read += same(
                kind, {key: each for key, each in record(kind, status=status).items() if key != name}
            )
    assert read > 10  # not everything is looked at closely


def test_of_two_records_the_later_counts_and_the_lost_are_known() -> None:
    later = "2026-11-26T03:00:00.000Z"
    pages = [
        [record("users", "u1", identifier="new", dateLastModified=later), record("users", "u2"), 5],
        [record("users", "u1", identifier="old"), record("users", "u2", identifier="again", roles=[])],
        [record("users", "u3", identifier=["?"]), record("users", "", identifier="nobody")],
    ]
    found = package_of([("users", json.dumps(page).encode()) for page in pages], full=True)
    users = found.frames["users"]
    assert users.select(LINE, "sourcedId", "identifier").rows() == [(2, "u1", "new"), (3, "u2", "again")]
    assert list(found.named["users"]) == ["u1", "u2"]
    assert found.frames["roles"].select("userSourcedId", "role").rows() == [
        ("u1", "student"),
        ("u1", "guardian"),
    ]
    assert found.lost == {"u3"}
    assert {(each.code, each.column) for each in found.problems} >= {
        ("ONEROSTER_SHAPE", "identifier"),
        ("ONEROSTER_SHAPE", "sourcedId"),
    }
    assert sum("（没有 sourcedId）「sourcedId」" in each.message for each in found.problems) == 2


def test_nothing_fetched_is_a_package_all_the_same() -> None:
    found = package_of([], full=False)
    assert all(frame.is_empty() for frame in found.frames.values())
    assert found.fetched
