"""A district reviews a school: two are refused, one by one; the rest is approved after a preview."""

from django.db import transaction
from playwright.sync_api import Page, expect

from tests.journeys.support import assert_sound
from tests.journeys.town import SYSTEM, Town, clicks, picture
from xueka.contexts.cards import api as cards
from xueka.contexts.registry import api as registry


def press(page: Page, key: str) -> None:
    """A key, once the page's scripts listen: the test is quicker than a person."""
    page.wait_for_load_state("load")
    page.keyboard.press(key)


def test_two_are_refused_and_the_rest_approved(page: Page, town: Town) -> None:
    students = town.students()[:8]
    ids = town.submitted(students, gray=2)  # allowed, but they deserve a look
    town.submitted(town.students("second")[:2])
    town.log_in(page, "district")
    expect(page.get_by_role("heading", name="今天要办的事")).to_be_visible()
    assert_sound(page)
    picture(page, "district-home")
    page.get_by_role("link", name="去审核").click()
    assert_sound(page)
    picture(page, "district-queue")
    page.get_by_role("link", name="东城区示范小学").click()
    expect(page.get_by_text("照片为黑白").first).to_be_visible()
    assert_sound(page)
    picture(page, "district-school")

    press(page, "n")
    expect(page.get_by_text("还有 2 份需要看")).to_be_visible()
    assert_sound(page)
    picture(page, "district-one")
    press(page, "r")
    press(page, "1")
    picture(page, "district-reason", whole=False)
    press(page, "Enter")
    expect(page.get_by_text("还有 1 份需要看")).to_be_visible()
    press(page, "f")
    press(page, "4")
    press(page, "Enter")
    expect(page.get_by_role("heading", name="东城区示范小学")).to_be_visible()
    expect(page.get_by_text("没有疑问的 6 份")).to_be_visible()

    with clicks(page) as counted:
        page.get_by_role("button", name="通过没有疑问的 6 份").click()
        assert_sound(page)
        picture(page, "district-preview")
        page.get_by_role("button", name="通过 6 份").click()
        expect(page.get_by_text("通过 6 份。")).to_be_visible()
        assert counted() <= 2
    page.goto("/review/2111010001/")
    expect(page.get_by_text("这所学校没有待审的申领")).to_be_visible()
    expect(page.locator("main [aria-disabled], main button")).to_have_count(0)
    states = [cards.application(SYSTEM.scope, id_).state for id_ in ids]
    assert states == ["returned", "refused"] + ["city_review"] * 6
    assert cards.application(SYSTEM.scope, ids[0]).refusal_code == "photo_unclear"
    assert cards.application(SYSTEM.scope, ids[1]).refusal_code == "data_mismatch"
    page.goto("/district/progress/")
    assert_sound(page)
    picture(page, "district-progress")
    page.goto(f"/applications/{cards.application(SYSTEM.scope, ids[0]).number}/")
    assert_sound(page)
    picture(page, "district-application")


def test_one_key_decides_and_one_takes_it_back(page: Page, town: Town) -> None:
    ids = town.submitted(town.students()[:4], gray=3)
    town.log_in(page, "district")
    page.goto("/review/2111010001/")
    with clicks(page) as counted:
        press(page, "n")
        expect(page.get_by_text("还有 3 份需要看")).to_be_visible()
        press(page, "3")
        expect(page.get_by_text("还有 2 份需要看")).to_be_visible()
        picture(page, "district-undo")
        press(page, "u")
        expect(page.get_by_text("收回。现在东城区审核")).to_be_visible()
        assert cards.application(SYSTEM.scope, ids[0]).state == "district_review"
        page.goto("/review/2111010001/")
        press(page, "n")
        expect(page.get_by_text("还有 3 份需要看")).to_be_visible()
        press(page, "a")
        expect(page.get_by_text("还有 2 份需要看")).to_be_visible()
        press(page, "3")
        expect(page.get_by_text("还有 1 份需要看")).to_be_visible()
        assert counted() == 0  # by keys alone
    assert [cards.application(SYSTEM.scope, each).state for each in ids[:2]] == ["city_review", "returned"]
    assert cards.application(SYSTEM.scope, ids[1]).refusal_code == "photo_other_person"
    page.goto("/review/2111010001/")
    page.get_by_role("button", name="通过没有疑问的 1 份").click()
    page.get_by_role("button", name="通过 1 份").click()
    page.get_by_role("button", name="收回").click()
    expect(page.get_by_text("收回 1 份")).to_be_visible()
    expect(page.get_by_role("button", name="通过没有疑问的 1 份")).to_be_visible()


def test_a_late_school_is_reminded_by_one_click(page: Page, town: Town) -> None:
    town.submitted(town.students("second"))
    town.log_in(page, "district")
    with clicks(page) as counted:
        page.get_by_role("button", name="提醒落后的 1 所学校").click()
        expect(page.get_by_text("已提醒 1 所学校")).to_be_visible()
        assert counted() == 1
    expect(page.get_by_role("button", name="已提醒")).to_be_visible()
    assert_sound(page)
    picture(page, "district-reminded")
    page.context.clear_cookies()
    town.log_in(page, "school")
    expect(page.get_by_role("note")).to_contain_text("还有 18 名学生没有申领")
    page.get_by_role("button", name="提醒，1 条").click()
    assert_sound(page)
    picture(page, "school-reminded", whole=False)


def test_a_school_reviewer_reviews_where_the_kind_asks_for_it(page: Page, town: Town) -> None:
    with transaction.atomic():
        kind = cards.kinds()[0]
        kind.review_levels = ["school", "district", "city"]
        kind.save()
    town.submitted(town.students()[:3])
    town.log_in(page, "reviewer")
    page.get_by_role("link", name="东城区示范小学").click()
    page.get_by_role("button", name="通过没有疑问的 3 份").click()
    page.get_by_role("button", name="通过 3 份").click()
    expect(page.get_by_text("通过 3 份。")).to_be_visible()
    assert cards.application_counts(SYSTEM.scope) == {"district_review": 3}


def test_both_districts_confirm_a_transfer(page: Page, town: Town) -> None:
    [student] = town.students()[:1]
    target = town.schools["stranger"]
    with transaction.atomic():
        opened = town.transfer(student, target)
    town.log_in(page, "district")
    page.get_by_role("link", name="去确认").click()
    assert_sound(page)
    picture(page, "district-transfers")
    page.get_by_role("button", name="同意转出").click()
    page.get_by_role("dialog").get_by_role("button", name="同意转出").click()
    expect(page.get_by_text("已确认，等待对方。")).to_be_visible()
    page.context.clear_cookies()
    town.log_in(page, "westdistrict")
    page.goto("/district/transfers/")
    page.get_by_role("button", name="同意接收").click()
    page.get_by_role("dialog").get_by_role("button", name="同意接收").click()
    expect(page.get_by_text("双方都已确认，已转学")).to_be_visible()
    assert registry.student(SYSTEM.scope, student.id).school_id == target.id
    opened.refresh_from_db()
    assert opened.state == "closed"
