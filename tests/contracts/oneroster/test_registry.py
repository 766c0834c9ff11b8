"""The student registry's simulator against docs/interfaces/oneroster.md §8: token, pages, filters, status."""

import json
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.support.registry import clean
from tests.support.student_registry import person
from xueka.sandbox.registry.__main__ import House, parser

DAY = "2026-11-26T10:00:00+08:00"


class Reader:
    """A consumer's hand, written from the document."""

    def __init__(self, house: House, client: httpx.Client) -> None:
        self.house = house
        self.card: dict[str, Any] = json.loads(house.card.read_text("utf-8"))
        self.client = client
        self.token = self.ask().json()["access_token"]

    def ask(self, **changes: str) -> httpx.Response:
        form = {"grant_type": "client_credentials", "scope": self.card["scope"], **changes}
        account = (form.pop("client_id", self.card["client_id"]), self.card["client_secret"])
        return self.client.post(self.card["token_url"], data=form, auth=account)

    def get(self, path: str, **query: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.client.get(f"{self.card['base']}/{path}", params=query, headers=headers)

    def sim(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.card['control_token']}"}
        answer = self.client.request(
            method, f"{self.card['control']}/_sim/{path}", json=body, headers=headers
        )
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    house = House(parser().parse_args(["--home", str(tmp_path), "--seed", "7"]))
    house.clock.set(DAY)
    house.start()
    try:
        with httpx.Client() as client:
            made = Reader(house, client)
            made.sim("POST", "people", {"people": [person(row) for row in clean(7)]})
            yield made
    finally:
        house.stop()
        house.store.close()


def code_of(answer: httpx.Response) -> str:
    value = answer.json()
    assert (value["imsx_codeMajor"], value["imsx_severity"]) == ("failure", "error")
    return value["imsx_CodeMinor"]["imsx_codeMinorField"][0]["imsx_codeMinorFieldValue"]


def test_tokens(reader: Reader) -> None:
    assert reader.ask().json()["token_type"] == "bearer"
    assert reader.ask(client_id="stranger").json() == {"error": "invalid_client"}
    assert reader.ask(grant_type="password").json() == {"error": "unsupported_grant_type"}
    assert reader.ask(scope="all").json() == {"error": "invalid_scope"}
    reader.token = "none"
    answer = reader.get("users")
    assert (answer.status_code, code_of(answer)) == (401, "unauthorisedrequest")


def test_pages_tell_the_whole_and_where_to_go_on(reader: Reader) -> None:
    answer = reader.get("users", limit=3, offset=3, sort="sourcedId")
    assert answer.headers["X-Total-Count"] == "7"
    links = {
        part.split('rel="')[1][:-1]: part[1 : part.index(">")] for part in answer.headers["Link"].split(", ")
    }
    places = {name: parse_qs(urlsplit(link).query)["offset"][0] for name, link in links.items()}
    assert places == {"first": "0", "last": "6", "next": "6", "prev": "0"}
    ids = [each["sourcedId"] for each in answer.json()["users"]]
    assert len(ids) == 3 and ids == sorted(ids)
    assert reader.get("users", limit=0).status_code == 400


def test_records_are_those_of_the_standard(reader: Reader) -> None:
    user = reader.get("students", limit=1).json()["users"][0]
    assert user["roles"][0]["role"] == "student" and user["roles"][0]["org"]["type"] == "org"
    assert {"bj.idType", "bj.guardianPhone"} <= user["metadata"].keys()
    assert (user["status"], user["dateLastModified"]) == ("active", "2026-11-26T02:00:00.000Z")
    enrolment = reader.get("enrollments", limit=1).json()["enrollments"][0]
    assert {"user", "class", "school", "role", "primary"} <= enrolment.keys()
    assert reader.get("schools").json()["orgs"][0]["type"] == "school"
    assert reader.get("academicSessions").json()["academicSessions"][0]["type"] == "term"
    assert reader.get(f"users/{user['sourcedId']}").json()["user"]["identifier"] == user["identifier"]
    answer = reader.get("users/nobody")
    assert (answer.status_code, code_of(answer)) == (404, "unknownobject")


def test_lists_of_one_school(reader: Reader) -> None:
    """Students attend a school while they have an enrolment in a class of it; its count is asked alone."""
    users = {each["sourcedId"]: each for each in reader.get("users").json()["users"]}
    schools = [each["sourcedId"] for each in reader.get("schools").json()["orgs"]]
    found = {}
    for school in schools:
        counted = reader.get(f"schools/{school}/students", limit=1, filter="status='active'")
        assert len(counted.json()["users"]) == 1
        listed = [each["sourcedId"] for each in reader.get(f"schools/{school}/students").json()["users"]]
        assert int(counted.headers["X-Total-Count"]) == len(listed)
        found |= dict.fromkeys(listed, school)
        classes = reader.get(f"schools/{school}/classes").json()["classes"]
        assert {each["school"]["sourcedId"] for each in classes} == {school}
        enrolments = reader.get(f"schools/{school}/enrollments").json()["enrollments"]
        assert sorted(each["user"]["sourcedId"] for each in enrolments) == sorted(listed)
    assert found.keys() == users.keys()
    user = next(each for each in found if found[each] == schools[0])
    reader.sim("POST", "change", {"act": "end_enrolment", "id": user})
    assert user not in {
        each["sourcedId"] for each in reader.get(f"schools/{schools[0]}/students").json()["users"]
    }
    gone = reader.get(f"schools/{schools[0]}/enrollments", filter="status='tobedeleted'").json()[
        "enrollments"
    ]
    assert [each["user"]["sourcedId"] for each in gone] == [user]
    answer = reader.get("schools/nowhere/students")
    assert (answer.status_code, code_of(answer)) == (404, "unknownobject")


def test_changes_are_filtered_by_their_moment(reader: Reader) -> None:
    users = reader.sim("GET", "users")
    reader.sim("POST", "clock", {"now": "2026-11-26T11:00:00+08:00"})
    reader.sim("POST", "change", {"act": "correct", "id": users[0], "values": {"name": "欧阳文"}})
    reader.sim("POST", "change", {"act": "leave", "id": users[1]})
    since = "dateLastModified>'2026-11-26T02:00:00.000Z'"
    found = {each["sourcedId"]: each["status"] for each in reader.get("users", filter=since).json()["users"]}
    assert found == {users[0]: "active", users[1]: "tobedeleted"}
    both = f"{since} AND status='tobedeleted'"
    assert reader.get("users", filter=both).headers["X-Total-Count"] == "1"
    assert len(reader.get("enrollments", filter=since).json()["enrollments"]) == 1
    for wrong in ("dateLastModified", "a b>'1'", "a='1' AND b='2' AND c='3'"):
        answer = reader.get("users", filter=wrong)
        assert (answer.status_code, code_of(answer)) == (400, "invalid_filter_field")
    assert code_of(reader.get("users", sort="a b")) == "invalid_sort_field"
    assert reader.sim("GET", "counts")["students"] == 6


def test_one_too_many_says_when_to_come_again(reader: Reader) -> None:
    reader.house.dial.turn({"limited": 1, "limited_seconds": 90})
    forms = set()
    for _ in range(16):
        answer = reader.get("users")
        assert code_of(answer) == "server_busy"
        wait = answer.headers["Retry-After"]
        dated = not wait.isdecimal()
        seconds = (
            (parsedate_to_datetime(wait) - parsedate_to_datetime(answer.headers["Date"])).total_seconds()
            if dated
            else float(wait)
        )
        assert 89 <= seconds <= 91
        forms.add((answer.status_code, dated))
    assert forms == {(429, False), (429, True), (503, False), (503, True)}
