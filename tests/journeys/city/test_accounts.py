"""A card account is closed and opened again on the student's page."""

from django.db import transaction
from playwright.sync_api import Page, expect

from tests.journeys.support import assert_sound
from tests.journeys.town import SYSTEM, Town, picture
from xueka.contexts.cards import api as cards


def test_an_account_is_closed_with_a_reason_and_comes_back(page: Page, people: Town) -> None:
    student = people.students()[0]
    [card] = people.in_hand([student])
    people.log_in(page, "operator")
    page.goto(f"/students/{student.education_id}/")
    expect(page.locator(".xk-why", has_text=f"卡 {card.number} 在用或在途")).to_be_visible()
    assert_sound(page)
    with transaction.atomic():
        cards.cancel(SYSTEM, card.id, "学生离京")
    page.reload()
    page.get_by_role("button", name="销户", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("学生离京或出国").click()
    dialog.get_by_role("button", name="销户").click()
    expect(page.get_by_text("已销户，不能再申领")).to_be_visible()
    assert_sound(page)
    picture(page, "city-account-closed", whole=False)
    page.get_by_role("button", name="恢复账户", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("学生返京就读")
    dialog.get_by_role("button", name="恢复账户").click()
    expect(page.get_by_text("已恢复，可以重新申领")).to_be_visible()
    assert cards.account(SYSTEM.scope, student.education_id).state == "open"
