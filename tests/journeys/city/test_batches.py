"""An open batch: applications go in and come out, previewed, and taken back by the opposite."""

from django.db import transaction
from playwright.sync_api import Page, expect

from tests.journeys.city.conftest import accepted
from tests.journeys.support import assert_sound
from tests.journeys.town import KIND, Town, picture
from xueka.contexts.production import api as production


def test_applications_go_in_and_out_while_it_is_open(page: Page, people: Town) -> None:
    operator = people.actor("city_operator", username="operator")
    inside = accepted(people, 3)
    accepted(people, 4, first=3)
    with transaction.atomic():
        batch = production.create_batch(operator, KIND, inside, "秋季首发")
    people.log_in(page, "operator")
    page.goto(f"/city/batches/{batch.number}/")
    page.get_by_role("link", name="增减申领").click()
    page.get_by_role("link", name="加入申领").click()
    expect(page.locator("main tbody tr")).to_have_count(4)
    assert_sound(page)
    page.get_by_label("选中本页全部").check()
    page.get_by_role("button", name="加入批次").click()
    expect(page.get_by_text("批次将有 7 张")).to_be_visible()
    assert_sound(page)
    page.get_by_role("button", name="加入批次 4 份").click()
    expect(page.get_by_text("已加入 4 份，批次现有 7 张。")).to_be_visible()
    assert_sound(page)
    picture(page, "city-batch-contents")

    page.get_by_label("姓名、教育ID或申领号").fill(people.students()[0].education_id)
    expect(page.locator("main tbody tr")).to_have_count(1)
    page.get_by_label("选中本页全部").check()
    page.get_by_role("button", name="移出批次").click()
    page.get_by_role("button", name="移出批次 1 份").click()
    expect(page.get_by_text("已移出 1 份，批次现有 6 张。")).to_be_visible()
    page.get_by_role("button", name="撤销").click()
    expect(page.get_by_text("批次现有 7 张")).to_be_visible()
    assert production.batch(operator.scope, batch.number).batch.card_count == 7
