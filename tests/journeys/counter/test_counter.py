"""A card made while the family waits: real agent, reader, virtual card and IPP printer beside the browser."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.db import transaction
from playwright.sync_api import Page, expect

from tests.journeys.support import assert_sound, screenshot
from tests.journeys.town import SYSTEM, Town, add_user, picture
from tests.support import pcsc
from tests.support.agents import AgentProcess
from tests.support.printers import Printer, ipp_printer
from xueka.contexts.cards import api as cards
from xueka.contexts.keys import api as keys
from xueka.contexts.operations.verify import INVARIANTS, verify
from xueka.contexts.personalization import api as personalization
from xueka.contexts.printing import api as printing
from xueka.contexts.registry import api as registry
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

DEVICE = "证卡打印机"
REASON = "lost"


@dataclass
class Desk:
    """The town with its counter. `hand` lays cards on the reader, `printer` keeps what was printed."""

    town: Town
    actor: Actor
    hand: pcsc.CardProcess
    printer: Printer
    agent: AgentProcess

    def waiting(self, student: registry.Student) -> str:
        """A replacement of a lost card that waits for the counter; its number."""
        [old] = self.town.in_hand([student])
        with transaction.atomic():
            cards.report_lost(SYSTEM, old.id)
            [made] = cards.create_applications(SYSTEM, [student.id], old.kind_id, REASON).done
            cards.submit(SYSTEM, [made])
            for _ in ("district", "city"):
                cards.approve(Actor.system("reviewer"), [made])
            assert cards.to_counter(SYSTEM, [made]).done == [made]
        return cards.application(SYSTEM.scope, made).number


@pytest.fixture
def people(town: Town) -> Actor:
    """The counter operator, and one printer with full supplies."""
    town.passwords["counter"] = add_user("counter", "秦朗", "counter_operator", town.schools["first"])
    return Actor.in_role("counter", "秦朗", "counter_operator", Scope("district", "110101"))


@pytest.fixture
def desk(
    town: Town, people: Actor, site: str, tmp_path: Path, settings: pytest.FixtureRequest
) -> Iterator[Desk]:
    settings.AGENT_POLL_HOLD = 0.3  # type: ignore[attr-defined] # none is held when the test ends
    with ExitStack() as stack:
        daemon = stack.enter_context(pcsc.running(tmp_path / "pcsc"))
        printer = stack.enter_context(ipp_printer(tmp_path / "printer"))
        with transaction.atomic():
            keys.make_demo_keys()
            personalization.put_demo_profiles_in_force()
            code, _ = personalization.make_code(SYSTEM, "110101")
        hand = stack.enter_context(
            pcsc.CardProcess(daemon.port, tmp_path, blank={"uid": "04a1b2c3000001"}, count=5, empty=True)
        )
        options = ["--printer", f"{DEVICE}={printer.uri}", "--name", "一号柜台", "--enrol", code]
        agent = AgentProcess(site, tmp_path / "agent", *options)
        stack.enter_context(agent)
        pcsc.until(
            lambda: personalization.agents(SYSTEM.scope).exists(), f"not enrolled: {tmp_path}", seconds=60
        )
        with transaction.atomic():
            enrolled = personalization.agents(SYSTEM.scope).get()
            made = printing.register_printer(people, "一号柜台", enrolled.code, DEVICE)
            for supply in printing.supplies(made):
                printing.load_supply(people, supply.id)
        pcsc.until(lambda: personalization.readers(enrolled.pk), agent.log.read_text(), seconds=60)
        yield Desk(town, people, hand, printer, agent)


def space(page: Page) -> None:
    """The one key of the counter."""
    page.locator("main").click(position={"x": 3, "y": 3})
    page.keyboard.press("Space")


def test_a_counter_before_its_machines_are_there(page: Page, town: Town, people: Actor) -> None:
    """What is missing is said, and the way to it is a link; at every size."""
    with transaction.atomic():
        made = town.submitted(town.students()[:3])
        for _ in ("district", "city"):
            cards.approve(SYSTEM, made)
    town.log_in(page, "counter")
    expect(page.get_by_text("没有等着制的卡")).to_be_visible()
    assert_sound(page)
    space(page)
    expect(page.get_by_role("heading", name="已受理的申领")).to_be_visible()
    page.get_by_label(f"选中{town.students()[0].name}").check()
    page.get_by_role("button", name="改为柜台制卡").click()
    page.get_by_role("button", name=re.compile("改为柜台制卡 1 份")).click()
    expect(page.get_by_text("改为柜台制卡 1 份。")).to_be_visible()
    page.get_by_role("link", name="即时制卡").first.click()
    page.get_by_role("link", name="登记打印机").click()
    page.get_by_role("link", name="登记打印机").first.click()
    expect(page.get_by_label("发卡代理")).to_be_visible()
    assert_sound(page)
    with transaction.atomic():
        printing.register_printer(people, "一号柜台", "a-none", DEVICE)
    page.goto("/counter/")
    expect(page.get_by_text("发卡代理没有注册")).to_be_visible()
    for name, width in (("desk", 1440), ("tablet", 1024), ("phone", 360)):
        page.set_viewport_size({"width": width, "height": 800})
        screenshot(page, f"counter-{name}")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.emulate_media(color_scheme="dark")
    screenshot(page, "counter-dark")
    page.get_by_role("button", name="开始制卡").click()
    expect(page.get_by_text("这台打印机的发卡代理没有注册。")).to_be_visible()


def test_the_counter_with_everything_beside_it(page: Page, town: Town, desk: Desk) -> None:
    first, second = town.students()[:2]
    number = desk.waiting(first)
    desk.waiting(second)
    town.log_in(page, "counter")
    expect(page.get_by_role("heading", name=first.name)).to_be_visible()
    expect(page.get_by_role("img", name=f"{first.name}的卡正面")).to_be_visible()
    assert_sound(page)
    picture(page, "counter-queue")

    space(page)
    expect(page.get_by_text("请把空白卡放上读卡器")).to_be_visible()
    page.wait_for_load_state("load")  # the pictures
    picture(page, "counter-write")
    desk.hand.say("insert")  # plastic as it comes from its maker: it is left alone
    expect(page.get_by_text("不是已初始化的空白卡")).to_be_visible()
    expect(page.get_by_text("这张卡没有改动，可以继续用。")).to_be_visible()
    assert_sound(page)
    page.get_by_role("button", name="先初始化再写").click()
    expect(page.get_by_text("芯片已写好并验证。")).to_be_visible(timeout=60_000)
    space(page)
    expect(page.get_by_role("heading", name="请核对卡面")).to_be_visible(timeout=60_000)
    assert len(desk.printer.documents()) == 1
    assert_sound(page)
    picture(page, "counter-check")
    space(page)
    expect(page.get_by_role("heading", name="请领卡人核对后发放")).to_be_visible()
    assert_sound(page)
    picture(page, "counter-give")
    page.get_by_label("监护人").check()
    page.get_by_label("领卡人已核对卡面").check()
    page.get_by_role("button", name="发放").click()
    expect(page.get_by_role("heading", name="已发放")).to_be_visible()
    assert_sound(page)
    made = cards.application(SYSTEM.scope, number)
    assert made.state == "fulfilled" and made.old_card is not None and made.old_card.state == "cancelled"
    [card] = cards.cards(SYSTEM.scope, states=["active"], search=first.education_id)
    assert card.chip_uid == "04A1B2C3000001"

    space(page)
    expect(page.get_by_role("heading", name=second.name)).to_be_visible()
    page.goto("/counter/printers/")
    page.get_by_role("link", name="一号柜台").click()
    expect(page.get_by_role("region", name="耗材")).to_contain_text("剩 199 / 200")
    assert_sound(page)
    picture(page, "counter-printer")
    found = verify([each.name for each in INVARIANTS])  # nobody seals the audit chain here
    assert [each.name for each in found if each.violated] == []
