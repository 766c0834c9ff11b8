"""The city's administrator changes a kind that is in force."""

from django.db import transaction
from playwright.sync_api import Page, expect

from tests.journeys import town as towns
from tests.journeys.support import assert_sound
from tests.journeys.town import KIND, SYSTEM, Town, picture
from xueka.contexts.cards import api as cards


def test_a_kind_is_changed_after_the_difference_was_seen(page: Page, people: Town) -> None:
    people.passwords["admin"] = towns.add_user("admin", "沈澈", "city_admin", people.schools["first"])
    with transaction.atomic():
        [draft] = cards.create_applications(
            people.actor("school_officer"), [people.students()[0].id], KIND
        ).done
    people.log_in(page, "admin")
    page.goto("/city/kinds/")
    expect(page.locator("main tbody tr")).to_have_count(3)
    assert_sound(page)
    page.get_by_role("link", name="北京通学生卡").click()
    page.get_by_role("link", name="变更", exact=True).click()
    page.get_by_label("区", exact=True).uncheck()
    page.get_by_label("有效学年数").fill("9")
    page.get_by_label("挂失何时生效").fill("本系统，即时生效\n公交、地铁，24 小时内，之前的消费不退")
    assert_sound(page)
    page.get_by_role("button", name="看会改什么").click()
    expect(page.locator("main tbody tr")).to_have_count(3)
    assert_sound(page)
    picture(page, "city-kind-preview")
    page.get_by_label("变更的理由").fill("试点一级审核")
    page.get_by_role("button", name="变更 3 项").click()
    expect(page.get_by_text("已变更 3 项")).to_be_visible()
    expect(page.get_by_text("与随附配置的不同")).to_be_visible()
    assert_sound(page)
    picture(page, "city-kind")
    kind = cards.kind(KIND)
    assert (kind.version, kind.review_levels, kind.validity_years) == (2, ["city"], 9)
    kept = cards.kept_rules([cards.application(SYSTEM.scope, draft)])[draft]
    assert kept.review_levels == ["district", "city"]

    page.get_by_role("button", name="照随附配置变更").click()
    page.get_by_label("变更的理由").fill("试点结束")
    page.get_by_role("button", name="变更 3 项").click()
    expect(page.get_by_text("已变更 3 项")).to_be_visible()
    assert cards.file_difference(KIND) == []
