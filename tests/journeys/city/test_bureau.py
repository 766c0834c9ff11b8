"""A card bureau is entered by one person and confirmed by another, with its keys as files."""

import asyncssh
from django.db import transaction
from playwright.sync_api import Page, expect

from tests.journeys.city.conftest import log_out
from tests.journeys.support import assert_sound
from tests.journeys.town import SYSTEM, Town, picture
from xueka.contexts.keys import api as keys
from xueka.contexts.production import api as production
from xueka.platform.crypto.sm2 import PrivateKey
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope


def _file(name: str, content: bytes) -> dict[str, object]:
    return {"name": name, "mimeType": "text/plain", "buffer": content}


def test_a_bureau_is_entered_changed_and_confirmed(page: Page, people: Town) -> None:
    host = asyncssh.generate_private_key("ssh-ed25519").export_public_key()
    key = PrivateKey.generate().public
    people.log_in(page, "operator")
    page.goto("/city/bureau/")
    assert_sound(page)
    page.get_by_role("link", name="登记卡厂").click()
    assert_sound(page)
    page.get_by_label("卡厂名称").fill("样例卡厂")
    page.get_by_label("服务器地址").fill("sftp.bureau.example")
    page.get_by_label("登录名").fill("xueka")
    page.get_by_label("主机公钥").set_input_files(_file("host.pub", host))
    page.get_by_label("签名公钥").set_input_files(_file("sign.pem", b"not a key"))
    page.get_by_role("button", name="录入").click()
    expect(page.locator(".xk-problem")).to_contain_text("签名公钥无法读取")
    assert_sound(page)
    page.get_by_label("主机公钥").set_input_files(_file("host.pub", host))
    page.get_by_label("签名公钥").set_input_files(_file("sign.pem", key.to_pem()))
    page.get_by_role("button", name="录入").click()
    expect(page.get_by_text("样例卡厂已录入").first).to_be_visible()
    expect(page.get_by_text("由您录入，须由另一位运营")).to_be_visible()
    assert_sound(page)
    picture(page, "city-bureau")
    assert "BEGIN PUBLIC KEY" in page.request.get("/city/bureau/our-keys/city-sign.pub.pem").text()

    page.get_by_role("link", name="变更地址或公钥").click()
    page.get_by_label("端口").fill("2022")
    page.get_by_role("button", name="录入").click()
    log_out(page)
    people.log_in(page, "operator2")
    page.goto("/city/bureau/")
    expect(page.locator("main")).to_contain_text("sftp.bureau.example:2022")
    page.get_by_label("卡厂报读的签名公钥指纹").fill(key.fingerprint)
    page.get_by_label("卡厂报读的加密公钥指纹").fill(key.fingerprint)
    page.get_by_role("button", name="确认", exact=True).click()
    expect(page.get_by_text("公钥已由第二人确认").first).to_be_visible()
    [partner] = production.partners(SYSTEM.scope)
    assert (partner.port, partner.entered_by, partner.confirmed_by) == (2022, "operator", "operator2")


def test_how_card_keys_reach_the_bureau_is_confirmed_by_a_second_person(page: Page, people: Town) -> None:
    masters = [{"label": "education.adf.internal", "factor": "card_number"}]
    if not keys.keys(SYSTEM.scope):
        with transaction.atomic():
            keys.make_demo_keys()
    first = Actor.in_role("operator", "运营", "city_operator", Scope("city"))
    with transaction.atomic():
        entered = production.enter_delivery(
            first, "bjt_student", {"way": "file", "transport": "SM2", "masters": masters}
        )
    people.log_in(page, "operator2")
    page.goto("/city/bureau/")
    expect(page.locator("main")).to_contain_text("随文件加密送交：education.adf.internal")
    expect(page.locator("main")).not_to_contain_text(entered.digest[:8])
    assert_sound(page)
    picture(page, "city-bureau-keys")
    page.get_by_label("录入人报读的摘要前 8 位").fill("00000000")
    page.get_by_role("button", name="确认", exact=True).last.click()
    expect(page.locator("main")).to_contain_text("摘要与录入的交付方式不一致")
    page.goto("/city/bureau/")
    page.get_by_label("录入人报读的摘要前 8 位").fill(entered.digest[:8].upper())
    page.get_by_role("button", name="确认", exact=True).last.click()
    expect(page.get_by_text("卡密钥的交付方式已启用").first).to_be_visible()
    assert_sound(page)
    assert production.delivery("bjt_student").plan.way == "file"
