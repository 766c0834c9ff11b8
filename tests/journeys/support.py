"""A real browser for the journeys: Debian's Chromium, watched for errors, with axe and screenshots at
hand.
"""

import os
import shutil
from collections.abc import Iterator
from enum import Enum
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from tests.support import factors
from tests.support.parts import require

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("XUEKA_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
expect.set_options(timeout=20_000)  # two cores under load; nothing here measures time
DESK, TABLET, PHONE = (1440, 900), (1024, 768), (360, 740)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser a module: its event loop lives in this thread, and later tests must not meet it."""
    require("a journey", [] if CHROMIUM else ["Chromium (chromium)"])
    # The ORM calls of a journey's set-up are not async all the same.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    flags = FLAGS + (["--no-sandbox"] if os.geteuid() == 0 else [])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def site(live_server: LiveServer) -> str:
    """Where the pages are served from."""
    return live_server.url


@pytest.fixture
def page(chromium: Browser, site: str) -> Iterator[Page]:
    """A fresh browser at a desk, whose relative addresses lead to the site.

    Fails the test when a script fails or the content-security policy blocks something.
    """
    context = chromium.new_context(
        base_url=site,
        locale="zh-CN",
        timezone_id="Asia/Shanghai",
        viewport={"width": DESK[0], "height": DESK[1]},
        color_scheme="light",
        reduced_motion="reduce",
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if _is_fault(said.type, said.text) else None)
    yield page
    context.close()
    assert faults == []


_ANSWERS = ("Failed to load resource", "htmx:", "Response Status Error Code 4")


def _is_fault(kind: str, text: str) -> bool:
    """Answers of status 4xx and broken connections are logged too; whether they were right the test says."""
    return kind == "error" and not text.startswith(_ANSWERS)


def session_of(username: str, password: str) -> Client:
    """Logged in without a browser."""
    client = Client(raise_request_exception=False)
    answer = client.post("/login/", {"username": username, "password": password})
    factors.answer(client, username, answer)
    assert client.get("/password/").status_code == 200, f"{username} is not let in"
    return client


def come_in(page: Page, username: str, password: str) -> None:
    """Logged in, at home: the browser takes up a session, since four pages at each log-in take long."""
    cookies = session_of(username, password).cookies.items()
    page.context.add_cookies(
        [{"name": name, "value": each.value, "domain": "localhost", "path": "/"} for name, each in cookies]
    )
    page.goto("/")
    assert "/login/" not in page.url


def log_in(page: Page, username: str, password: str) -> None:
    """As a person does it, on the pages of the log-in."""
    page.goto("/login/")
    page.get_by_label("用户名").fill(username)
    page.get_by_label("密码").fill(password)
    page.get_by_role("button", name="登录").click()
    page.wait_for_url(lambda url: factors.CODE_PAGE in url or "/login/" not in url)
    if factors.CODE_PAGE in page.url:
        page.get_by_label("动态验证码").fill(factors.fresh_code(username))
        page.get_by_role("button", name="登录").click()
        page.wait_for_url(lambda url: "/login/" not in url)


@cache
def axe_source() -> str:
    return (ROOT / "node_modules/axe-core/axe.min.js").read_text("utf-8")


class Rules(Enum):
    """Which of axe's rules; those of colours take longer than all others together."""

    ALL = "{}"
    COLOURS = "{runOnly: ['color-contrast', 'link-in-text-block']}"
    NO_COLOURS = "{rules: {'color-contrast': {enabled: false}, 'link-in-text-block': {enabled: false}}}"


def axe(page: Page, rules: Rules = Rules.ALL) -> list[str]:
    """What axe finds wrong with the page as it stands: rule, element, and why. Empty is right."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe_source())
    found: dict[str, Any] = page.evaluate(
        f"axe.run(document, {{resultTypes: ['violations'], ...{rules.value}}})"
    )
    return [
        f"{violation['id']} {node['target']}: {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


class _Skeleton(HTMLParser):
    """The elements of the main part of a page, without its texts; of many alike neighbours, one."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = False
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = self.inside or tag in ("main", "dialog")
        if self.inside:
            kept = [
                f"{name}={value}"
                for name, value in attrs
                if name in ("class", "data-tone", "type", "role", "disabled", "aria-current")
            ]
            self.found.append(" ".join([tag, *kept]))

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "main"


def elements(html: str) -> set[str]:
    """What a page is built of, without its texts."""
    read = _Skeleton()
    read.feed(html)
    return set(read.found)


#: Waits inside the page until the browser has drawn it in this width.
DRAWN = """async (width) => {
  const frame = () => new Promise(requestAnimationFrame);
  while (window.innerWidth !== width) await frame();
  await frame();
  await frame();
}"""


_SEEN: set[str] = set()


def assert_sound(page: Page) -> None:
    """Light and dark: axe finds nothing. At a desk, between and on a phone: nothing sticks out sideways.

    Colours belong to elements: those of a page that has none but seen ones are not looked at again.
    """
    width = page.viewport_size["width"] if page.viewport_size else DESK[0]
    built = elements(page.content())
    new = not built <= _SEEN
    for scheme in ("dark", "light") if new else ("light",):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
        page.evaluate(DRAWN, width)
        # All but the colours is the same in both.
        found = axe(page, Rules.COLOURS if scheme == "dark" else Rules.ALL if new else Rules.NO_COLOURS)
        assert found == [], f"in the {scheme} theme"
    _SEEN.update(built)
    for width, height in (PHONE, TABLET, DESK):
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate(DRAWN, width)
        out = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert out == 0, f"{page.url} is {out} px too wide at {width}"


def screenshot(page: Page, name: str, *, whole: bool = True, folder: str = "build/screenshots") -> Path:
    """Keep a picture of the page as it stands, when XUEKA_PICTURES=1 asks for it: drawing takes long."""
    path = ROOT / folder / f"{name}.png"
    if os.environ.get("XUEKA_PICTURES") != "1":
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path, full_page=whole, animations="disabled")
    return path
