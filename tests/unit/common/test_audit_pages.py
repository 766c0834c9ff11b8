"""The auditor's pages: searching, one object's story, an extract that says whose it is."""

import csv
import io
from datetime import timedelta

import pytest
from django.test import Client
from python_calamine import load_workbook

from tests.support import factors
from xueka.kernel import clock
from xueka.platform.audit.models import Entry
from xueka.platform.audit.services import record
from xueka.platform.identity import second_factor, services
from xueka.platform.identity.actor import Actor

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("test")
PASSWORD = "Qianmen-Dajie-88"


@pytest.fixture
def auditor(client: Client) -> Client:
    user, _ = services.create_user(SYSTEM, "chuning", "褚宁", "auditor")
    user.set_password(PASSWORD)
    user.must_change_password = False
    user.save()
    second_factor.enrol_at_once(SYSTEM, "chuning")
    factors.answer(client, "chuning", client.post("/login/", {"username": "chuning", "password": PASSWORD}))
    zhao = Actor("zhao", "赵敏", "city_operator", SYSTEM.scope, address="10.0.0.1")
    record(zhao, "batch.lock", "batch", "B26-0001", detail={"cards": 5})
    record(zhao, "batch.approve", "batch", "B26-0001", result="refused", detail={"note": "=1+1"})
    return client


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("person=zhao", 2),
        ("person=赵", 2),
        ("object=B26-0001", 2),
        ("action=batch.", 2),
        ("action=batch.lock", 1),
        ("action=锁定&person=zhao", 1),
        ("result=refused&person=zhao", 1),
        ("person=zhao&since=2000-01-01", 2),
        ("person=zhao&until=2000-01-01", 0),
        ("person=zhao&since=someday", 2),
    ],
)
def test_searching(auditor: Client, query: str, count: int) -> None:
    page = auditor.get(f"/city/audit/?{query}")
    assert page.status_code == 200
    assert page.context["list"].total == count


def test_what_happened_to_one_object(auditor: Client) -> None:
    text = auditor.get("/city/audit/batch/B26-0001/").content.decode()
    assert text.index("制卡批次 复核通过") < text.index("制卡批次 锁定"), "newest first"
    assert "赵敏（zhao）" in text
    assert auditor.get("/city/audit/batch/B99/").status_code == 404


@pytest.mark.parametrize("kind", ["xlsx", "csv"])
def test_an_extract_says_whose_it_is_and_is_itself_recorded(auditor: Client, kind: str) -> None:
    answer = auditor.post("/city/audit/export/", {"kind": kind, "filters": "person=zhao"})
    entry = Entry.objects.get(action="audit.export")
    assert (entry.actor, entry.detail["rows"], entry.detail["kind"]) == ("chuning", 2, kind)
    assert f'filename="{entry.object_id}.{kind}"' in answer["Content-Disposition"]
    if kind == "csv":
        rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert rows[0] == rows[-1]
        rows.pop()
    else:
        book = load_workbook(io.BytesIO(answer.content))
        assert book.sheet_names == ["审计1"]
        rows = book.get_sheet_by_index(0).to_python()
        rows = [[cell for cell in row if row] for row in rows]
    mark = rows[0][0]
    assert entry.object_id in mark
    assert "褚宁（chuning）" in mark
    assert [row[7:9] for row in rows[2:]] == [
        ["制卡批次 复核通过", "batch.approve"],
        ["制卡批次 锁定", "batch.lock"],
    ]
    assert "=1+1" not in {row[11] for row in rows[2:]}


def test_an_extract_asks_first_who_it_is(auditor: Client) -> None:
    with clock.at(clock.now() + timedelta(minutes=16)):
        answer = auditor.post("/city/audit/export/", {"kind": "csv"})
    assert answer["Location"].startswith("/session/confirm/")
    assert not Entry.objects.filter(action="audit.export").exists()
