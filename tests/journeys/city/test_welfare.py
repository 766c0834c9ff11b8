"""Entitlements of the welfare card: the family sees them on a phone, staff by the card."""

from datetime import timedelta

import pytest
from django.db import transaction
from playwright.sync_api import Page, expect

from tests.journeys.parent.test_parent import MOBILE, look, sign_in
from tests.journeys.support import DESK, PHONE, assert_sound, screenshot
from tests.journeys.town import SYSTEM, Town, picture, town
from tests.support.families import with_guardian
from xueka.contexts.cards import api as cards
from xueka.contexts.welfare import api as welfare
from xueka.kernel import clock
from xueka.platform.exchange.applying import Message

__all__ = ["town"]
pytestmark = pytest.mark.django_db(transaction=True)


def says(card: cards.Card, kind: str, version: int = 1, state: str = "active", reason: str = "") -> None:
    """The platform's word about one entitlement of a card."""
    told = {
        "card": card.number, "beijing_tong_number": card.beijing_tong_number, "kind": kind, "state": state,
        "valid_from": f"{clock.today()}", "valid_until": f"{clock.today() + timedelta(days=300)}",
        "reason": reason, "version": version, "as_of": clock.now().isoformat(),
    }  # fmt: skip
    message = Message("welfare", "m", "entitlement.changed", f"card:{card.number}", version, None, told)
    with transaction.atomic():
        welfare.hear_entitlement(SYSTEM, message)


def test_family_school_and_city_see_what_a_card_is_entitled_to(page: Page, town: Town) -> None:
    children = town.students()[:3]
    first, *others = town.in_hand(children)
    child = with_guardian(first.student_id, MOBILE, born="2010-03-02")
    for card in (first, *others):
        says(card, "transit")
        says(card, "museum")
    says(others[0], "museum", 2, "suspended", "卡已挂失")

    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    sign_in(page, child.education_id)
    expect(page.get_by_role("heading", name="民生卡权益")).to_be_visible()
    expect(page.get_by_text("博物馆")).to_be_visible()
    expect(page.get_by_text("有效", exact=True)).to_have_count(2)
    look(page, "entitlements")

    page.context.clear_cookies()
    page.set_viewport_size({"width": DESK[0], "height": DESK[1]})
    town.log_in(page, "school")
    page.goto(f"/students/{others[0].student.education_id}/")
    expect(page.get_by_text("卡已挂失")).to_be_visible()
    assert_sound(page)
    page.goto(f"/cards/{others[0].number}/")
    expect(page.get_by_role("heading", name="民生卡权益")).to_be_visible()
    expect(page.get_by_text("公共交通优惠")).to_be_visible()
    assert_sound(page)
    page.set_viewport_size({"width": DESK[0], "height": DESK[1]})
    screenshot(page, "school-entitlements")

    page.context.clear_cookies()
    town.log_in(page, "operator")
    page.get_by_role("link", name="民生卡权益").click()
    expect(page.get_by_role("row")).to_have_count(7)
    page.get_by_role("link", name="暂停").click()
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_text("卡已挂失")).to_be_visible()
    page.get_by_role("link", name="民生卡权益").click()
    assert_sound(page)
    page.set_viewport_size({"width": DESK[0], "height": DESK[1]})
    picture(page, "city-entitlements")

    page.context.clear_cookies()
    town.log_in(page, "reviewer")
    assert page.goto("/entitlements/").status == 403  # type: ignore[union-attr]
    page.goto(f"/cards/{first.number}/")
    expect(page.get_by_role("heading", name="民生卡权益")).to_have_count(0)
