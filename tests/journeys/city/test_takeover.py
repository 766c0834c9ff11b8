"""The city takes over a running programme: tried, approved by another, loaded, compared, explained."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random

from django.db import connection
from playwright.sync_api import Page, expect

from tests.journeys.city.test_line import log_out, press
from tests.journeys.support import assert_sound
from tests.journeys.town import SYSTEM, Town, picture
from xueka.contexts.cards import api as cards
from xueka.contexts.registry import api as registry
from xueka.contexts.takeover import api as takeover
from xueka.kernel import clock
from xueka.simulation import old_system


def give(page: Page, zone: int, extract: old_system.Extract, button: str) -> None:
    files = [
        {"name": name, "mimeType": "text/csv", "buffer": content} for name, content in extract.files().items()
    ]
    page.goto("/city/takeover/")
    page.locator("input[type=file]").nth(zone).set_input_files(files)
    page.get_by_role("button", name=button, exact=True).click()
    page.wait_for_url(lambda url: not url.endswith("/city/takeover/"))


def sweep() -> None:
    """As the worker does; in a thread, beside Playwright's loop."""

    def work() -> None:
        takeover.work()
        connection.close()

    with ThreadPoolExecutor(1) as worker:
        worker.submit(work).result()


def test_a_programme_is_taken_over_and_compared(page: Page, people: Town) -> None:
    rows = registry.student_rows(SYSTEM.scope).order_by("education_id")
    students = list(rows.values_list("education_id", flat=True))
    as_of = clock.today() - timedelta(days=2)
    people.log_in(page, "operator")
    page.goto("/city/takeover/")
    assert_sound(page)
    give(page, 0, old_system.extract(Random(3), students, as_of), "试算")
    expect(page.locator("main")).to_contain_text("不能载入的行")
    expect(page.locator("main")).to_contain_text("读到")
    expect(page.get_by_text("请由提交人以外的运营批准").first).to_be_visible()
    assert_sound(page)
    picture(page, "city-takeover-check", whole=False)

    clean = old_system.extract(Random(3), students, as_of, defects=False)
    give(page, 0, clean, "试算")
    address = page.url
    log_out(page)
    people.log_in(page, "operator2")
    page.goto(address)
    press(page, "批准载入", "批准载入")
    expect(page.get_by_text("已批准，系统正在载入")).to_be_visible()
    sweep()
    page.reload()
    expect(page.locator("main")).to_contain_text("已载入")
    assert_sound(page)
    picture(page, "city-takeover", whole=False)
    assert cards.Card.objects.count() == len(clean.rows["cards"])

    later, expected = old_system.next_day(Random(3), clean)
    give(page, 1, later, "比对")
    expect(page.get_by_text(f"现有差异 {expected.total()} 项")).to_be_visible()
    page.goto("/city/takeover/differences/?part=cards")
    assert_sound(page)
    page.locator("main table tbody input[type=checkbox]").first.check()
    page.get_by_role("button", name="说明原因").click()
    page.get_by_label("项差异的原因").fill("旧系统昨日补录")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("已说明 1 项")).to_be_visible()
    picture(page, "city-differences", whole=False)
