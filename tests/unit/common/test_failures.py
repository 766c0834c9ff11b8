"""A broken system shows a designed page, never a trace."""

import pytest
from django.db import InterfaceError, OperationalError
from django.test import Client

from tests.unit.design.support import faults
from xueka.platform.identity import sessions


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Client:
    def fail(_: object) -> None:
        raise request.param

    monkeypatch.setattr(sessions, "resume", fail)
    return Client(raise_request_exception=False)


@pytest.mark.parametrize("broken", [OperationalError("gone"), InterfaceError("gone")], indirect=True)
def test_without_the_database_the_page_says_so_and_offers_to_try_again(broken: Client) -> None:
    answer = broken.get("/school/?kind=bjt_student")
    text = answer.content.decode()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert "数据库暂时连不上" in text
    assert 'href="/school/?kind=bjt_student"' in text
    assert "gone" not in text
    assert faults(text) == []
    assert "填写的内容还在" in broken.post("/login/").content.decode()
    part = broken.get("/school/", headers={"HX-Request": "true"})
    assert (part.status_code, part.headers["HX-Reswap"]) == (503, "none")


@pytest.mark.parametrize("broken", [ValueError("a secret")], indirect=True)
def test_our_own_mistake_is_another_page(broken: Client) -> None:
    answer = broken.get("/school/")
    text = answer.content.decode()
    assert answer.status_code == 500
    assert "系统出错" in text
    assert "secret" not in text
    assert 'href="/">到首页' in text
    assert 'href="/parent/">到首页' in broken.get("/parent/").content.decode()  # a family has its own
