"""Lost and found, a student's page, and the doors that stay shut."""

import pytest
from django.db import transaction
from playwright.sync_api import Page, expect

from tests.journeys.support import assert_sound
from tests.journeys.town import SYSTEM, Town, clicks, picture
from tests.support.families import with_guardian
from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.contexts.payments import api as payments
from xueka.platform.audit import queries as audit


def test_a_card_is_reported_lost_and_lifted(page: Page, town: Town) -> None:
    [card] = town.in_hand(town.students()[:1])
    town.log_in(page, "school")
    with clicks(page) as counted:
        page.get_by_role("link", name="挂失补换").click()
        page.get_by_label("姓名、教育ID、卡号").fill(card.student.name)
        page.get_by_role("link", name=card.student.name).click()
        page.get_by_role("button", name="挂失").click()
        page.get_by_role("dialog").get_by_role("button", name="确认挂失").click()
        expect(page.get_by_text("已挂失：本系统即时生效；联网机具")).to_be_visible()
        assert counted() <= 5
    assert_sound(page)
    picture(page, "school-lost")
    assert cards.card(SYSTEM.scope, card.number).state == "lost"
    page.get_by_role("button", name="解挂").click()
    page.get_by_role("dialog").get_by_label("怎么找到的").fill("在书包里")
    page.get_by_role("dialog").get_by_role("button", name="确认解挂").click()
    expect(page.get_by_text("已解挂")).to_be_visible()
    expect(page.get_by_text("在书包里")).to_be_visible()
    page.get_by_role("button", name="注销").click()
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    expect(page.get_by_text("已注销。请收回卡片")).to_be_visible()
    assert cards.card(SYSTEM.scope, card.number).state == "cancelled"
    page.goto("/school/lost/")
    assert_sound(page)
    page.goto("/cards/")
    assert_sound(page)


def test_the_school_replaces_a_card_for_a_family_and_the_fee_stands_beside_it(page: Page, town: Town) -> None:
    lost, broken = town.in_hand(town.students()[:2])
    with transaction.atomic():
        cards.report_lost(SYSTEM, lost.id)
        with_guardian(lost.student_id)
    town.log_in(page, "school")
    page.goto(f"/students/{lost.student.education_id}/")
    with clicks(page) as counted:
        page.get_by_role("link", name="补卡：看挂失的卡").click()
        page.get_by_role("link", name="申请补卡").click()
        expect(page.get_by_text("遗失补卡（卡丢了）：¥20.00")).to_be_visible()
        assert_sound(page)
        picture(page, "school-replace")
        page.get_by_role("button", name="下一步").click()
        page.get_by_role("button", name="提交，请家长缴费 ¥20.00").click()
        expect(page.get_by_text("已提交，等家长缴费。")).to_be_visible()
        assert counted() <= 5
    expect(page.get_by_role("img", name="家长缴费页面的二维码")).to_be_visible()
    expect(page.get_by_text("已挂失").first).to_be_visible()
    assert_sound(page)
    picture(page, "school-to-pay")
    [order] = payments.orders_of(SYSTEM.scope, lost.student_id)
    assert (order.state, order.amount_fen) == ("open", 2000)
    assert not cards.application_rows(SYSTEM.scope).filter(reason="lost").exists()  # nothing without its fee
    page.goto(f"/cards/{lost.number}/")
    page.get_by_role("link", name="看遗失补卡进度").click()
    page.get_by_role("button", name="取消办理").click()
    page.get_by_role("dialog").get_by_role("button", name="取消办理").click()
    expect(page.get_by_text("已取消。")).to_be_visible()

    page.goto(f"/cards/{broken.number}/")
    page.get_by_role("link", name="申请换卡").click()
    page.get_by_label("信息变更换卡").check()
    page.get_by_label("邮寄到家").check()
    page.get_by_role("button", name="下一步").click()
    expect(page.get_by_text("请填写收件人。")).to_be_visible()
    assert_sound(page)
    for label, value in (
        ("收件人", "王建国"),
        ("收件手机", "13800000001"),
        ("收件地址", "东城区某街道某小区 1 号楼 301"),
    ):
        page.get_by_label(label).fill(value)
    page.get_by_role("button", name="下一步").click()
    page.get_by_role("button", name="提交", exact=True).click()
    expect(page.get_by_text("已提交并受理。")).to_be_visible()
    page.get_by_role("link", name="更改送达方式").click()
    page.get_by_label("送到学校").check()
    page.get_by_role("button", name="更改", exact=True).click()
    expect(page.get_by_text("已更改送达方式。")).to_be_visible()
    [application] = cards.application_rows(SYSTEM.scope).filter(reason="data_change")
    assert (application.account.student_id, application.state) == (broken.student_id, "district_review")


def test_the_page_of_a_student(page: Page, town: Town) -> None:
    [student] = town.students()[:1]
    town.in_hand([student])
    town.log_in(page, "school")
    page.goto("/students/")
    assert_sound(page)
    picture(page, "school-students")
    page.get_by_label("姓名或教育ID").fill(student.education_id)
    page.get_by_role("link", name=student.name).click()
    expect(page.get_by_text("已登记").or_(page.get_by_text("监护人同意")).first).to_be_visible()
    assert "110101" not in page.content().replace("110101***", "")
    assert_sound(page)
    picture(page, "school-student")

    page.get_by_role("button", name="查看完整证件号码").click()
    dialog = page.get_by_role("dialog", name="查看完整证件号码")
    dialog.get_by_label("事由").fill("核对证件")
    dialog.get_by_role("button", name="查看").click()
    expect(page.get_by_text("11010120170110000X")).to_be_visible()
    assert any(entry.action == "student.unmask" for entry in audit.entries(SYSTEM.scope))

    page.get_by_text("登记同意或撤回").click()
    page.get_by_label("撤回同意").check()
    page.get_by_label("告知书版本").fill("2026-1")
    page.get_by_role("button", name="登记", exact=True).click()
    expect(page.get_by_text("的监护人撤回同意")).to_be_visible()

    page.get_by_role("textbox", name="排序拼音").fill("王 ！")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("排序拼音只能由拼音字母和空格组成").first).to_be_visible()
    page.get_by_role("textbox", name="排序拼音").fill("wang zi han")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("现在按“wang zi han”排序")).to_be_visible()


def test_the_search_box_finds_by_number(page: Page, town: Town) -> None:
    box = town.on_the_way(town.students()[:2])
    card = logistics.contents(box)[0].card
    town.log_in(page, "school")
    found_at = {
        card.number: f"/cards/{card.number}/",
        card.student.education_id: f"/students/{card.student.education_id}/",
        card.application.number: f"/applications/{card.application.number}/",
        box.number: f"/boxes/{box.number}/",
        box.delivery.number: f"/deliveries/{box.delivery.number}/",
    }
    for number, address in found_at.items():
        page.keyboard.press("/")
        page.keyboard.type(number)
        page.keyboard.press("Enter")
        page.wait_for_url(f"**{address}")
    page.goto("/search/?q=" + logistics.delivery(SYSTEM.scope, box.delivery.number).waybill)
    page.wait_for_url(f"**/deliveries/{box.delivery.number}/")
    assert_sound(page)
    page.goto("/deliveries/")
    assert_sound(page)
    page.goto(f"/deliveries/{box.delivery.number}/")
    for form, begins in (("PDF", b"%PDF"), ("XLSX", b"PK")):
        with page.expect_download() as coming:
            page.get_by_role("button", name=f"装箱单 {form}").click()
        assert coming.value.path().read_bytes().startswith(begins)


@pytest.mark.parametrize("who", ["school", "reviewer", "westdistrict"])
def test_strangers_find_nothing(page: Page, town: Town, who: str) -> None:
    foreign = town.students("second")[:1]
    [card] = town.in_hand(foreign)
    box = town.on_the_way(town.students("second")[1:2])
    with transaction.atomic():
        photo = cards.latest_photos(SYSTEM.scope, [foreign[0].id])[foreign[0].id]
    town.log_in(page, who)
    addresses = [
        f"/students/{foreign[0].education_id}/",
        f"/cards/{card.number}/",
        f"/applications/{card.application.number}/",
        f"/photos/{photo.id}.jpg",
    ]
    if who != "reviewer":  # who may not look at deliveries at all
        addresses += [f"/boxes/{box.number}/", f"/deliveries/{box.delivery.number}/"]
    answers = {address: page.goto(address) for address in addresses}
    assert {address: answer and answer.status for address, answer in answers.items()} == dict.fromkeys(
        addresses, 404
    )
    expect(page.get_by_role("heading", level=1)).to_be_visible()
