"""A session that ends in the middle of a form: what was typed is there again after logging in."""

from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from tests.journeys.town import Town


def test_what_was_typed_survives_an_ended_session(page: Page, town: Town) -> None:
    [student] = town.students()[:1]
    town.log_in(page, "school")
    address = f"/students/{student.education_id}/"
    page.goto(address)
    page.get_by_text("登记同意或撤回").click()
    page.get_by_label("撤回同意").check()
    page.get_by_label("告知书版本").fill("2026-9")
    page.get_by_label("签名的监护人").fill("王家长")
    Session.objects.all().delete()
    page.get_by_role("button", name="登记", exact=True).click()
    expect(page.get_by_role("heading", name="登录")).to_be_visible()
    page.get_by_label("用户名").fill("school")
    page.get_by_label("密码").fill(town.passwords["school"])
    page.get_by_role("button", name="登录").click()
    page.wait_for_url(f"**{address}")
    expect(page.get_by_text("填写的内容已经放回")).to_be_visible()
    expect(page.get_by_label("告知书版本")).to_have_value("2026-9")
    expect(page.get_by_label("签名的监护人")).to_have_value("王家长")
    expect(page.get_by_label("撤回同意")).to_be_checked()
    assert town.passwords["school"] not in page.evaluate("JSON.stringify(sessionStorage)")
    page.get_by_role("button", name="登记", exact=True).click()
    expect(page.get_by_text("的监护人撤回同意")).to_be_visible()
    assert page.evaluate("sessionStorage.getItem('xk-kept')") is None
