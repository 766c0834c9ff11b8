"""A list taken away: what is shown, under the filters, marked, limited, on record."""

import io
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.test import RequestFactory
from python_calamine import CalamineWorkbook

from xueka.entrypoints.design import taking
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.middleware import MannerMiddleware
from xueka.entrypoints.design.ui import Badge, Empty
from xueka.platform.audit.models import Entry
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

ACTOR = Actor.in_role("zhou", "周敏", "school_officer", Scope("school", "110101", "2111010001"))
ROWS = [{"pk": number, "name": f"学生{number}", "ok": number % 2 == 0} for number in range(1, 121)]


def listing(address: str, **more: Any) -> DataList:
    return DataList(
        RequestFactory().get(address),
        ROWS,
        name="students",
        caption="学生",
        columns=[
            Column("姓名", "name"),
            Column("状态", lambda row: Badge("有卡" if row["ok"] else "无卡", "ok")),
            Column("号", "pk"),
            Column("金额", lambda row: row["pk"] * 100, kind="money"),
        ],
        sorts={"pk": ("pk",)},
        filters=[
            Filter("ok", "状态", lambda rows, code: [row for row in rows if row["ok"]], [("1", "有卡")])
        ],
        empty=Empty("没有", "没有"),
        **more,
    )


def taken(address: str) -> Any:
    request = RequestFactory().get(address)
    request.actor = ACTOR  # type: ignore[attr-defined]
    request.session = SessionStore()
    with pytest.raises(taking.ListTaken) as wish:
        listing(address)
    return MannerMiddleware(lambda _: None).process_exception(request, wish.value)  # type: ignore[arg-type]


@pytest.mark.django_db
def test_all_rows_under_the_filters_as_they_are_shown() -> None:
    answer = taken("/students/?ok=1&xlsx=1")
    assert answer.headers["Cache-Control"] == "no-store"
    book = CalamineWorkbook.from_filelike(io.BytesIO(answer.content))
    rows = book.get_sheet_by_name("清单").to_python()
    assert "周敏" in str(rows[0][0])
    assert rows[1:3] == [["姓名", "状态", "号", "金额（分）"], ["学生2", "有卡", 2.0, 200.0]]
    assert len(rows) == 2 + 60
    control = {(row[0], row[1]): row[2] for row in book.get_sheet_by_name("控制数").to_python()[2:]}
    assert control["清单", "行数"] == 60.0 and control["清单", "号"] == sum(range(2, 121, 2))
    assert control["清单", "金额（分）"] == 100 * sum(range(2, 121, 2))
    assert control["筛选", "状态"] == "有卡"
    entry = Entry.objects.get(action="list.export")
    assert (entry.object_id, entry.detail["rows"], entry.detail["filters"]) == ("students", 60, ["ok"])


@pytest.mark.django_db
def test_too_long_a_list_is_refused_in_words(settings: Any) -> None:
    settings.LIST_EXPORT_ROWS = 50
    request = RequestFactory().get("/students/?xlsx=1", headers={"Accept": "application/json"})
    request.actor = ACTOR  # type: ignore[attr-defined]
    with pytest.raises(taking.ListTaken) as wish:
        listing("/students/?xlsx=1")
    answer = MannerMiddleware(lambda _: None).process_exception(request, wish.value)  # type: ignore[arg-type]
    assert answer is not None and answer.status_code == 409
    assert not Entry.objects.exists()


def test_a_list_may_forbid_it() -> None:
    assert listing("/students/?xlsx=1", takeable=False).take_url == ""
    assert listing("/students/?ok=1").take_url == "/students/?ok=1&xlsx=1"
