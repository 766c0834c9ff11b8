"""Paper slips of a class are recorded together; school and district see who is missing."""

from django.db import transaction
from playwright.sync_api import Page, expect

from tests.journeys.support import assert_sound
from tests.journeys.town import SYSTEM, Town, picture
from xueka.contexts.registry import api as registry


def test_slips_of_a_class_are_recorded_and_the_missing_are_named(page: Page, town: Town) -> None:
    students = town.students()
    first = [each for each in students if each.school_class_id == students[0].school_class_id]
    with transaction.atomic():
        registry.record_consent(SYSTEM, [each.id for each in first[:4]], "withdrawn", "2026-1", "", "paper")
    town.log_in(page, "school")
    page.goto("/school/consents/")
    expect(page.locator("main tbody tr").first).to_contain_text("4")
    assert_sound(page)
    page.get_by_role("link", name="三年级1班").click()
    page.get_by_role("link", name="缺同意书").click()
    expect(page.locator("main tbody tr")).to_have_count(4)
    for each in first[:3]:
        page.get_by_label(f"选中{each.name}", exact=True).check()
    assert_sound(page)
    page.get_by_role("button", name="登记同意").click()
    page.get_by_label("告知书版本").fill("2026-2")
    picture(page, "school-consent")
    page.get_by_label("告知书版本").fill("")
    page.get_by_role("button", name="登记 3 人").click()
    expect(page.get_by_text("请填写告知书版本").first).to_be_visible()
    assert_sound(page)
    page.get_by_label("告知书版本").fill("2026-2")
    page.get_by_role("button", name="登记 3 人").click()
    expect(page.get_by_text("已登记同意 3 人；本班还有 1 人没有同意书。")).to_be_visible()

    page.goto("/school/consents/")
    page.get_by_role("link", name="缺交名单").click()
    expect(page.locator("main")).to_contain_text(first[3].name)
    expect(page.locator("main")).not_to_contain_text(first[0].name)
    assert_sound(page)
    picture(page, "school-consent-missing", whole=False)

    page.context.clear_cookies()
    town.log_in(page, "district")
    page.goto("/consents/")
    expect(page.locator("main tbody tr").first).to_contain_text("94%")
    assert_sound(page)
    page.get_by_role("link", name="东城区示范小学").click()
    expect(page.locator("main")).to_contain_text(first[3].name)
    assert page.request.get("/consents/2111020001/").status == 404
