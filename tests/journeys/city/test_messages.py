"""The operator follows what families were told, looks at one phone, reads what was written to the city."""

from email.message import EmailMessage

import pytest
from django.db import transaction
from playwright.sync_api import Page, expect

from tests.journeys.support import assert_sound
from tests.journeys.town import Town, picture
from tests.support.messages import Fake
from xueka.platform.audit.models import Entry
from xueka.platform.mail import receiving
from xueka.platform.messages import opting, sending
from xueka.platform.messages.services import send

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = "13812340001"


def told() -> None:
    """A family with a code, a receipt and a reminder; another one that wants no reminders."""
    values = {"child": "王**", "number": "BH20260001", "what": "补卡", "promised": "12月4日"}
    with transaction.atomic():
        send(PHONE, "SIGN_IN_CODE", {"code": "739104", "minutes": "10"}, "c1")
        send(PHONE, "REPLACEMENT_ACCEPTED", values, "m1")
        send(PHONE, "REPLACEMENT_ARRIVED", {**values, "place": "东城区示范小学"}, "m2")
        opting.choose("13912340002", reminders=False)
        send("13912340002", "REPLACEMENT_ARRIVED", {**values, "place": "东城区示范小学"}, "m3")
    gateway = Fake()
    sending.send_due(gateway)
    for key in ("c1", "m1"):
        gateway.arrive(key)


def letter() -> None:
    made = EmailMessage()
    made["From"], made["Subject"] = "李老师 <lilaoshi@school.example.cn>", "三年级新生的卡什么时候到"
    made["Message-ID"] = "<1@school.example.cn>"
    made.set_content("您好：\n我校三年级转来两名学生，<b>卡</b>还没有到。\n谢谢！")
    made.add_attachment(b"x", maintype="application", subtype="pdf", filename="名单.pdf")
    receiving.take(made.as_bytes(), "lilaoshi@school.example.cn", ["kefu@xueka.example.cn"], "")


def test_the_operator_sees_what_families_were_told(page: Page, town: Town) -> None:
    told()
    letter()
    town.log_in(page, "operator")
    page.goto("/city/messages/")
    expect(page.get_by_role("region", name="近 7 天")).to_contain_text("补换受理回执")
    expect(page.get_by_text("已退订，未发").first).to_be_visible()
    assert PHONE not in page.content()
    assert_sound(page)
    picture(page, "city-messages")

    page.get_by_role("textbox", name="手机号").fill(PHONE)
    page.get_by_role("button", name="查这个号码").click()
    expect(page.get_by_role("heading", name="138****0001")).to_be_visible()
    expect(page.get_by_text("王**的补卡已受理")).to_be_visible()
    assert "739104" not in page.content() and PHONE not in page.content()
    looks = Entry.objects.filter(action__in=["message.find", "message.look"], object_id="138****0001")
    assert looks.count() == 2
    assert_sound(page)
    picture(page, "city-message-phone")

    page.goto("/city/messages/templates/")
    expect(page.get_by_text("回TD不再收提醒").first).to_be_visible()
    assert_sound(page)

    page.goto("/city/messages/rules/")
    page.get_by_role("textbox", name="手机号").fill(PHONE)
    page.get_by_label("家长原话").fill("不要再发提醒")
    page.get_by_role("button", name="登记退订").click()
    expect(page.get_by_text("已登记，不再向这个号码发提醒。")).to_be_visible()
    assert_sound(page)
    picture(page, "city-message-rules")
    page.get_by_role("button", name="恢复").first.click()
    page.get_by_role("dialog").get_by_role("button", name="恢复").click()
    expect(page.get_by_text("重新接收提醒").first).to_be_visible()

    page.goto("/city/mails/")
    page.get_by_label("发到哪个邮箱").fill("me@example.cn")
    page.get_by_role("button", name="试发一封").click()
    expect(page.get_by_text("m*@example.cn").first).to_be_visible()
    assert_sound(page)
    page.goto("/city/mails/in/")
    expect(page.get_by_text("三年级新生的卡什么时候到").first).to_be_visible()
    assert_sound(page)
    page.get_by_role("link", name="三年级新生的卡什么时候到").click()
    expect(page.get_by_text("<b>卡</b>还没有到")).to_be_visible()
    assert "lilaoshi" not in page.content()
    assert_sound(page)
    picture(page, "city-mail")
