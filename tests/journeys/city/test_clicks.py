"""What the city's people do most often takes five clicks from their first page, questions included."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from django.db import connection, transaction
from playwright.sync_api import Page, expect

from tests.journeys.city.conftest import accepted, approved, log_out, press
from tests.journeys.town import SYSTEM, Town, clicks
from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.contexts.production import api as production
from xueka.platform.history import queries as history

MOST = 5


def test_a_batch_is_made_and_approved(page: Page, people: Town, bureau_at_work: None) -> None:
    accepted(people, 5)
    people.log_in(page, "operator")
    with clicks(page) as counted:
        page.get_by_role("link", name="组批").click()
        page.get_by_role("button", name="建立批次").click()
        press(page, "锁定", "锁定")
        expect(page.locator("main")).to_contain_text("已锁定，待复核")
        expect(page.locator("main")).to_contain_text("未送出")
        assert counted() <= MOST
    log_out(page)
    people.log_in(page, "operator2")
    with clicks(page) as counted:
        page.get_by_role("link", name="去复核").click()
        page.locator("main tbody a").first.click()
        press(page, "复核通过", "复核通过")
        expect(page.get_by_text("系统正在生成文件")).to_be_visible()
        assert counted() <= MOST
    [batch] = production.batches(SYSTEM.scope)
    assert (batch.locked_by, batch.approved_by, batch.card_count) == ("operator", "operator2", 5)


def test_a_return_is_taken_and_its_cards_leave(
    page: Page, people: Town, bureau_at_work: None, tmp_path: Path
) -> None:
    ids = accepted(people, 4)
    approved(people, ids)
    file = made_by_the_bureau(tmp_path)
    people.log_in(page, "operator")
    with clicks(page) as counted:
        page.get_by_role("link", name="制卡批次").click()
        page.locator("main tbody a").first.click()
        with page.expect_file_chooser() as chooser:
            page.get_by_text("把卡厂的回盘文件").click()
        chooser.value.set_files(file)
        page.get_by_role("button", name="核对并入账").click()
        expect(page.get_by_text("已核对 4 行：相符 4")).to_be_visible()
        assert counted() <= MOST
        page.get_by_role("link", name="装箱发运（4 张）").click()
        expect(page.get_by_role("heading", name="装箱发运")).to_be_visible()
    page.goto("/city/")
    with clicks(page) as counted:
        page.get_by_role("link", name="装箱", exact=True).click()
        press(page, "装箱（4 张）", "装箱")
        page.locator("main tbody a").first.click()
        expect(page.get_by_label("运单号")).to_be_focused()
        page.keyboard.type("SF1234567890")  # as a scanner does: no field is clicked, the last key is Enter
        page.keyboard.press("Enter")
        expect(page.get_by_text("已发运")).to_be_visible()
        assert counted() <= MOST
    assert logistics.counts(SYSTEM.scope).cards_in_transit == 4


def test_a_problem_is_settled(page: Page, people: Town) -> None:
    box = people.on_the_way(people.students()[:2])
    numbers = [place.card.number for place in logistics.contents(box)]
    with transaction.atomic():
        logistics.receive_box(SYSTEM, box.number, numbers[1:])
    people.log_in(page, "operator")
    with clicks(page) as counted:
        page.get_by_role("link", name="去处理").click()
        expect(page.locator("main")).to_contain_text(people.students()[0].name)
        press(page, "作废并重制", "确认")
        expect(page.get_by_text("没有收货差异")).to_be_visible()
        assert counted() <= MOST
    assert cards.card(SYSTEM.scope, numbers[0]).state == "void"


def test_the_auditor_finds_a_card_and_a_person(page: Page, people: Town) -> None:
    [card] = people.in_hand(people.students()[:1])
    officer = people.actor("school_officer", username="school")
    with transaction.atomic():
        cards.report_lost(officer, card.id)
    people.log_in(page, "auditor")
    with clicks(page) as counted:
        page.get_by_label("对象号").click()
        page.keyboard.type(card.number)
        page.get_by_role("link", name=f"学生卡 {card.number}").first.click()
        expect(page.locator("main .xk-timeline")).to_contain_text("挂失")
        assert counted() <= MOST
    page.goto("/")
    with clicks(page) as counted:
        page.get_by_label("何人").click()
        page.keyboard.type("school")
        expect(page.locator(".xk-chip")).to_contain_text("school")
        page.get_by_role("link", name=f"学生卡 {card.number}").first.click()
        expect(page.get_by_role("heading", name="对象经过")).to_be_visible()
        assert counted() <= MOST
    assert [step.event for step in history.timeline({"card": [card.id]})][-1] == "report_lost"


def made_by_the_bureau(home: Path) -> Path:
    """The return file as it lies in the bureau's out/, before anybody has fetched it."""

    def work() -> None:
        production.build_packages()
        production.send_packages()
        connection.close()

    with ThreadPoolExecutor(1) as worker:
        worker.submit(work).result()
    deadline = time.monotonic() + 60
    while not (found := sorted(home.rglob("XKR_*.zip"))) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found[0]
