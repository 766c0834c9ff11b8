"""Every page that is registered, as every role sees it: no trace, axe finds nothing, nothing sticks out.

The addresses come from the URL configuration, so that no new page escapes: a page with arguments is found
by the links of the others, and one that no link leads to needs a line in `SAMPLES`. Every page is fetched as
every role without a browser, empty and filled. In the browser each is looked at filled, and in both for any
role that sees something in it that no page had before; XUEKA_TEST_SIZE=full looks at each empty one too.
"""

import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import OperationalError, transaction
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, resolve, reverse
from django.urls.exceptions import Resolver404
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.journeys import town as towns
from tests.journeys.support import DESK, DRAWN, PHONE, Rules, axe, elements, session_of
from tests.journeys.town import KIND, SYSTEM, Town, town
from tests.support.size import dial
from tests.unit.multiapp.conftest import CONTACT, DIRECTORIES, FILES, KEYS
from xueka.contexts.cards import api as cards
from xueka.contexts.keys import api as keys
from xueka.contexts.logistics import api as logistics
from xueka.contexts.multiapp import api as multiapp
from xueka.contexts.printing import api as printing
from xueka.contexts.production import api as production
from xueka.platform.identity import sessions
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

__all__ = ["town"]

ROLES = {
    "school": "school_officer",
    "reviewer": "school_reviewer",
    "district": "district_officer",
    "counter": "counter_operator",
    "operator": "city_operator",
    "admin": "city_admin",
    "security": "security_admin",
    "auditor": "auditor",
    "custodian": "key_custodian",
    "keyadmin": "key_admin",
    "finance": "finance",
}
#: Pages to which no link leads in this town: url name → arguments.
SAMPLES: dict[str, dict[str, object]] = {
    "finance:close": {"name": "2026-W40"},
    "finance:statement": {"channel": "wechat", "kind": "trade", "day": "2026-10-01"},
}
#: Pages of things that this town has not (a file taken in, a bureau, blanks on their way, a result just
#: reached): the journeys that make these things look at them.
NO_LINK_HERE = {
    "city:transit_paper",
    "city:transit_range",
    "city:agent",
    "city:interface_comparing",
    "city:interface_difference",
    "city:interface_bookmark",
    "city:interface_message",
    "city:interface_messages",
    "city:interface_received",
    "city:matter",
    "city:matter_file",
    "custodian:delivery",
    "custodian:part",
    "city:profile",
    "city:script",
    "city:session",
    "city:batch_change",
    "city:bureau_change",
    "city:card_grant_renew",
    "city:credential",
    "city:credential_rotate",
    "city:pack",
    "city:sam_risk",
    "city:sam_step",
    "city:stock_take",
    "city:destruction",
    "city:destruction_candidates",
    "city:destruction_scan",
    "city:hand_over",
    "city:hand_over_correct",
    "city:import_run",
    "city:lot",
    "city:mail_in",
    "city:message_phone",
    "city:lot_scan",
    "city:parcel",
    "city:our_key",
    "city:range_act",
    "city:repair",
    "city:schedule_end",
    "city:schedule_hand",
    "city:schedule_move",
    "city:schedule_order",
    "city:takeover_set",
    "counter:parcel",
    "counter:progress",
    "finance:back_payment",
    "finance:break",
    "finance:close_document",
    "finance:order",
    "finance:receipt",
    "finance:receipt_file",
    "finance:refund",
    "finance:refund_ask",
    "finance:remit",
    "finance:statement_file",
    "objects:export",
    "officers:hand_over",
    "officers:import_result",
    "partner-v1:validity",
    "objects:card_replace",
    "objects:replacement",
    "objects:replacement_where",
    "objects:year_job",
    "objects:year_report",
    "school:apply_done",
}
#: Where one goes in and out (looked at in test_design), and what is there for programs.
ELSEWHERE = {
    "login",
    "logout",
    "home",
    "",
    *(f"{space}:{name}" for space in ("agent_api", "partner-v1") for name in ("api-root", "openapi-json")),
}
#: Empty, a page shows less than filled, and a note of elements that other empty pages have.
EACH_LOOKED_AT = {"filled": True, "empty": dial(False, True)}
_LINK = re.compile(r'(?:href|src|hx-get)="(/[^"#]*)"')


@dataclass
class Route:
    name: str
    arguments: list[str]


def routes() -> Iterator[Route]:
    """Every named address of the site that answers a GET."""
    for name, arguments in _walk(get_resolver(settings.ROOT_URLCONF).url_patterns):
        if name.startswith("parent:"):  # not for staff; journeys/parent looks at each
            continue
        try:
            address = reverse(name, kwargs=dict.fromkeys(arguments, 1))
        except NoReverseMatch:
            address = ""
        if not address or Client(raise_request_exception=False).get(address).status_code != 405:
            yield Route(name, arguments)


def _walk(patterns: list[URLPattern | URLResolver], space: str = "") -> Iterator[tuple[str, list[str]]]:
    for each in patterns:
        if isinstance(each, URLResolver):
            yield from _walk(each.url_patterns, f"{space}{each.namespace}:" if each.namespace else space)
        elif each.name:
            yield space + each.name, [*each.pattern.converters, *each.pattern.regex.groupindex]


@dataclass
class Sweep:
    """Fetches as each role, remembers what is to be looked at, and what was reached."""

    routes: list[Route]
    reached: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    looked: set[str] = field(default_factory=set)
    elements: set[str] = field(default_factory=set)

    def pages(self, client: Client) -> list[tuple[str, bool]]:
        """Addresses of pages to look at: each once, and whatever is built of anything new; whether it is."""
        waiting = [reverse(route.name) for route in self.routes if not route.arguments]
        for route in self.routes:
            if route.name in SAMPLES:
                waiting.append(reverse(route.name, kwargs=SAMPLES[route.name]))
        fresh: list[tuple[str, bool]] = []
        asked: set[str] = set()
        taken: Counter[str] = Counter()
        while waiting:
            address = waiting.pop(0)
            name = _name(address)
            # Of each page with arguments some samples are enough.
            if address in asked or name in ELSEWHERE or taken[name] >= 4:
                continue
            asked.add(address)
            taken[name] += 1
            answer = client.get(address)
            if answer.status_code >= 500:
                self.wrong.append(f"{address}: {answer.status_code}")
            if answer.status_code not in (403, 404):
                self.reached.add(name)
            if answer.status_code != 200 or not answer.headers["Content-Type"].startswith("text/html"):
                continue
            html = answer.content.decode()
            if "<main" not in html:
                continue
            links = dict.fromkeys(map(_plain, _LINK.findall(html)))
            waiting += [link for link in links if link not in asked and "?" not in link and _name(link)]
            built = elements(html)
            new = bool(built - self.elements)
            if name not in self.looked or new:
                self.looked.add(name)
                self.elements |= built
                fresh.append((address, new))
        return fresh


def _plain(link: str) -> str:
    return link.replace("&amp;", "&")


@cache  # pages have dozens of links to the same places, and hundreds of addresses are tried for each
def _name(address: str) -> str:
    try:
        return resolve(urlsplit(address).path).view_name
    except Resolver404:
        return ""


def look(page: Page, address: str, *, colours: bool = True) -> list[str]:
    """What is wrong with a page at a desk and on a phone; with `colours` those too, in light and dark.

    Colours belong to elements: a page of elements that were looked at before has no others.
    """
    page.goto(address)
    found = []
    for scheme in ("light", "dark") if colours else ("light",):
        if page.locator("html").get_attribute("data-bs-theme") != scheme:
            page.emulate_media(color_scheme=scheme)
            expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
        page.evaluate(DRAWN, DESK[0])
        # Everything but the colours is the same in both.
        wanted = Rules.COLOURS if scheme == "dark" else Rules.ALL if colours else Rules.NO_COLOURS
        found += [f"{address} ({scheme}): {fault}" for fault in axe(page, wanted)]
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    page.evaluate(DRAWN, PHONE[0])
    out = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if out:
        found.append(f"{address}: {out} px too wide on a phone")
    page.set_viewport_size({"width": DESK[0], "height": DESK[1]})
    return found


@pytest.fixture
def browser_as(chromium: Browser, site: str) -> Iterator[object]:
    contexts: list[BrowserContext] = []

    def make(client: Client | None) -> Page:
        context = chromium.new_context(
            base_url=site,
            locale="zh-CN",
            viewport={"width": DESK[0], "height": DESK[1]},
            color_scheme="light",
            reduced_motion="reduce",
        )
        context.set_default_timeout(30_000)
        contexts.append(context)
        if client:
            context.add_cookies(
                [{"name": name, "value": each.value, "url": site} for name, each in client.cookies.items()]
            )
        return context.new_page()

    yield make
    for context in contexts:
        context.close()


def everybody(town: Town) -> None:
    for who, role in ROLES.items():
        if who not in town.passwords:
            town.passwords[who] = towns.add_user(who, who, role, town.schools["first"])


def filled(town: Town) -> None:
    """Something of everything: papers and cards in most states, doubts, strays, a batch, a move."""
    students = town.students()
    town.submitted(students[:3], gray=2)
    [back] = town.submitted(students[3:4])
    found = town.at_school(students[4:6])
    town.in_hand(students[6:7])
    box = town.on_the_way(students[7:9])
    town.on_the_way(students[9:10])
    lost = town.in_hand(students[10:11])[0]
    operator = Actor.in_role("operator", "王芳", "city_operator", Scope("city"))
    made = town.submitted(students[12:14])
    town.submitted(town.students("second")[:1])
    wide = io.BytesIO()
    Image.new("RGB", (900, 500), (215, 225, 240)).save(wide, "JPEG")
    with transaction.atomic():
        cards.send_back(SYSTEM, [back], "photo_unclear", "侧脸")
        cards.report_lost(SYSTEM, lost.id)
        logistics.receive_box(SYSTEM, box.number, [logistics.contents(box)[0].card.number, "99"])
        for _ in ("district", "city"):
            cards.approve(SYSTEM, made)
        batch = production.create_batch(operator, KIND, made[:1], "样批")
        production.lock(operator, batch.id)
        production.create_batch(operator, KIND, made[1:], "未锁定")
        cards.remind(town.actor("district_officer"), [town.schools["first"].id], KIND)
        last = students[-1]
        cards.upload_photos(
            town.actor("school_officer"),
            last.school_class_id,
            [last.id],
            [(f"{last.education_id}.jpg", wide.getvalue()), ("谁.jpg", towns.portrait(3)), ("a.txt", b"x")],
        )
        at_counter = town.submitted(town.students("second")[2:4])
        for _ in ("district", "city"):
            cards.approve(SYSTEM, at_counter)
        cards.to_counter(SYSTEM, at_counter)
        desk = town.actor("district_officer")
        printing.register_printer(SYSTEM, "一号柜台", "a-none", "证卡打印机", district=desk.scope.district)
        cards.issue_at_counter(SYSTEM, at_counter[0])
        town.transfer(town.students("second")[1], town.schools["stranger"])
        keys.make_demo_keys()
        keys.ask(SYSTEM, "rotate", "education.mf.control", "每年一次")
        partner(operator, town)
    assert found


def partner(operator: Actor, town: Town) -> None:
    """A campus-card vendor with a grant to be decided, and a module in the store."""
    multiapp.set_areas(operator, KIND, DIRECTORIES, "student 1.0")
    unit = multiapp.add_unit(
        operator, name="晨光一卡通公司", kind="vendor", purpose="食堂消费", contacts=[CONTACT],
        schools=[town.schools["first"].code], contract="HT-1",
        contract_from=date(2026, 1, 1), contract_until=date(2039, 12, 31),
    )  # fmt: skip
    multiapp.propose_grant(
        operator, unit.code, KIND, "campus", size=400, files=FILES, wanted=KEYS,
        valid_from=date(2026, 1, 1), valid_until=date(2035, 8, 31),
    )  # fmt: skip
    multiapp.receive_sams(operator, ["PSAM-0001"], "PSAM-B", multiapp.Slip("厂家", "赵库管", "JJ-1"))


@pytest.mark.parametrize("what", ["empty", "filled"])
def test_every_page(town: Town, browser_as: object, what: str) -> None:
    """Two tests, for two processes; whatever is reached at all is reached in the filled town."""
    everybody(town)
    if what == "filled":
        filled(town)
    known = list(routes())
    sweep = Sweep(known)
    faults: list[str] = []
    found = 0
    for who in ROLES:
        client = session_of(who, town.passwords[who])
        page = browser_as(client)  # type: ignore[operator]
        for address, new in sweep.pages(client):
            if not (new or EACH_LOOKED_AT[what]):
                continue
            found += 1
            faults += [f"{who}: {fault}" for fault in look(page, address, colours=new)]
    print(f"{len(known)} routes, {found} pages to look at, {what}")
    assert sweep.wrong == []
    assert faults == []
    if what == "filled":
        unreached = {route.name for route in known} - sweep.reached - NO_LINK_HERE - ELSEWHERE
        assert unreached == set(), f"no link leads to {sorted(unreached)}: give each a line in SAMPLES"


def test_every_page_failing(town: Town, browser_as: object, monkeypatch: pytest.MonkeyPatch) -> None:
    everybody(town)
    page = browser_as(session_of("school", town.passwords["school"]))  # type: ignore[operator]
    failing = [
        "/city/",
        "/students/99999999/",
        "/nowhere/",
        "/students/?after=%00",
        "/school/apply/?kind=none",
    ]
    assert [fault for address in failing for fault in look(page, address)] == []
    monkeypatch.setattr(sessions, "resume", _broken)
    assert look(page, "/school/") == []
    assert "数据库暂时连不上" in page.content()


def _broken(_: object) -> None:
    raise OperationalError("gone")
