"""The frame around a page, and what happens to refusals and ended sessions."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from django.contrib.messages.storage.base import Message
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.test import override_settings

from tests.unit.design.support import faults, get
from xueka.entrypoints.design import context, finders, flashes, nav
from xueka.entrypoints.design.middleware import MannerMiddleware
from xueka.entrypoints.design.ui import Action
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict, Forbidden, NotFound, Refused, XuekaError
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope


@pytest.fixture(autouse=True)
def _registry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, empty in (("_portals", {}), ("_providers", []), ("_namers", [])):
        monkeypatch.setattr(nav, name, empty)


@pytest.mark.parametrize(
    ("moment", "kind", "note"),
    [
        (datetime(2024, 9, 13, 1, tzinfo=UTC), "workday", ""),
        (datetime(2024, 9, 14, 1, tzinfo=UTC), "make-up", "调休上班"),
        (datetime(2024, 9, 13, 17, tzinfo=UTC), "make-up", "调休上班"),  # past midnight in Shanghai
        (datetime(2024, 9, 17, 1, tzinfo=UTC), "holiday", "中秋节"),
        (datetime(2024, 9, 21, 1, tzinfo=UTC), "weekend", "周末"),
        (datetime(2099, 9, 21, 1, tzinfo=UTC), "unknown", "放假安排未载入"),
    ],
)
def test_the_city_s_working_day(moment: datetime, kind: str, note: str) -> None:
    with clock.at(moment):
        today = context.workday()
    assert (today.kind, today.note) == (kind, note)


def test_from_november_on_a_missing_notice_is_told() -> None:
    with clock.at(datetime(2026, 11, 2, 1, tzinfo=UTC)):
        assert "2027 年放假安排尚未载入" in context.workday().title


def item(label: str, url_name: str, permission: str = "", waiting: int = 0) -> nav.NavItem:
    return nav.NavItem(label, url_name, "inbox", permission, lambda request: waiting)


PORTAL = nav.Portal(
    "school",
    "学校",
    "home",
    frozenset({"school_officer"}),
    [
        nav.NavGroup("", [item("首页", "home")]),
        nav.NavGroup(
            "办理", [item("搜索", "search", waiting=7), item("密码", "password", "city:batch:lock")]
        ),
    ],
)


def test_navigation_shows_what_one_may_do_and_where_one_is() -> None:
    groups = nav.draw(PORTAL, get("/search/x/"), lambda permission: False)
    drawn = {i.label: (i.active, i.waiting) for group in groups for i in group.items}
    assert drawn == {"首页": (False, 0), "搜索": (True, 7)}
    assert len(nav.draw(PORTAL, get("/"), lambda permission: True)[1].items) == 2


def test_a_portal_is_found_by_role_and_registered_once() -> None:
    nav.register(PORTAL)
    assert nav.portal_for("school_officer") is PORTAL
    assert nav.portal_for("auditor") is None
    with pytest.raises(ValueError, match="school"):
        nav.register(PORTAL)


def test_scopes_have_names() -> None:
    nav.register_scope_namer(lambda scope: "示范小学" if scope.school == "2111010001" else None)
    assert nav.scope_name(Scope("city")) == "全市"
    assert nav.scope_name(Scope("district", "110101")) == "东城区"
    assert nav.scope_name(Scope("school", "110101", "2111010001")) == "示范小学"
    assert nav.scope_name(Scope("school", "110101", "2111010002")) == "2111010002"


def as_officer(request: HttpRequest) -> HttpRequest:
    nav.register(PORTAL)
    scope = Scope("district", "110101")
    request.actor = Actor.in_role("li", "李<老师>", "school_officer", Scope("school", "110101", "2111010001"))
    request.grant = SimpleNamespace(id=1, role="school_officer", scope=request.actor.scope)
    request.grants = [request.grant, SimpleNamespace(id=2, role="district_officer", scope=scope)]
    return request


def test_the_frame_of_a_school_officer() -> None:
    page = render_to_string("design/shell.html", {"csrf_token": "t"}, as_officer(get("/")))
    assert "李&lt;老师&gt;" in page
    assert 'value="2"' in page
    assert "区级卡管员 · 东城区" in page
    assert "7<span" in page
    assert faults(page) == []


def test_error_pages_need_nothing() -> None:
    """A page for a failing system is drawn without a request, a session or a database."""
    for name in ("500", "404", "403", "400"):
        assert faults(render_to_string(f"{name}.html")) == []


def respond(response: HttpResponse, **headers: str) -> HttpResponse:
    return MannerMiddleware(lambda request: response)(get("/", **headers))


def test_a_script_learns_that_the_session_is_over() -> None:
    login = HttpResponseRedirect("/login/?next=/list/")
    assert respond(login, **{"HX-Request": "true"}).status_code == 401
    assert respond(login).status_code == 302
    assert respond(HttpResponseRedirect("/school/"), **{"HX-Request": "true"}).status_code == 302


def refuse(error: Exception, **headers: str) -> HttpResponse | None:
    return MannerMiddleware(lambda request: HttpResponse()).process_exception(get("/", **headers), error)


@pytest.mark.parametrize(
    ("kind", "status"),
    [(NotFound, 404), (Forbidden, 403), (Conflict, 409), (Refused, 409), (BadInput, 400), (XuekaError, 400)],
)
def test_refusals_on_a_page(kind: type[XuekaError], status: int) -> None:
    answer = refuse(kind("CODE_Y", "不能这样。", action="请那样。"))
    assert answer is not None
    assert answer.status_code == status
    text = answer.content.decode()
    assert faults(text) == []
    assert ("CODE_Y" in text) == (status != 404)  # strangers are told no more


@pytest.mark.parametrize(
    ("before", "kept"), [("http://testserver/list/?q=1", True), ("http://elsewhere/", False)]
)
def test_a_refusal_keeps_the_navigation_and_the_way_back(before: str, kept: bool) -> None:
    request = as_officer(get("/act/", Referer=before))
    answer = MannerMiddleware(lambda request: HttpResponse()).process_exception(
        request, Refused("X", "不能。")
    )
    assert answer is not None
    text = answer.content.decode()
    assert faults(text) == []
    assert "李&lt;老师&gt;" in text
    assert (f'href="{before}"' in text) == kept


def test_a_refusal_to_a_script_is_said_on_its_page() -> None:
    answer = refuse(Refused("X", "不能。", where="第 1 行", action="请改。"), **{"HX-Request": "true"})
    assert answer is not None
    assert answer.status_code == 409
    assert json.loads(answer["HX-Trigger"]) == {"xk:say": {"text": "第 1 行 不能。 请改。", "tone": "bad"}}


def test_a_refusal_as_json() -> None:
    answer = refuse(BadInput("X", "不能。", found=1), Accept="application/json")
    assert answer is not None
    assert json.loads(answer.content) == {"code": "X", "message": "不能。", "found": 1}


def test_other_exceptions_are_not_touched() -> None:
    assert refuse(ZeroDivisionError()) is None


def test_a_message_keeps_its_undo() -> None:
    said: list[Message] = []
    request = get("/")
    request._messages = SimpleNamespace(add=lambda *a: said.append(Message(*a)))
    flashes.flash(request, "已通过 3 人。", undo=Action("撤销", "/undo/", params={"batch": 7}))
    flashes.flash(request, "没有办成。", "bad")
    shown = [flashes.read(message) for message in said]
    assert [each["tone"] for each in shown] == ["ok", "bad"]
    assert shown[0]["action"].method == "post"
    assert shown[0]["action"].params == {"batch": 7}
    assert shown[1]["action"] is None


def test_only_the_files_that_pages_load_are_gathered() -> None:
    finder = finders.VendorFinder()
    gathered = dict(finder.list([]))
    assert set(gathered) == set(finders.VENDOR)
    for name, storage in gathered.items():
        assert storage.size(name) > 10_000
        assert finder.find(name)
    assert not finder.find("vendor/package.json")


@override_settings(NODE_MODULES="/nowhere")
def test_a_missing_package_is_not_found() -> None:
    assert not finders.VendorFinder().find("vendor/tabler.min.css")
