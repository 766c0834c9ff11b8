"""A card bureau is entered by one person and confirmed by another, with its keys as files."""

import asyncssh
from playwright.sync_api import Page, expect

from tests.journeys.city.conftest import log_out
from tests.journeys.support import assert_sound
from tests.journeys.town import SYSTEM, Town, picture
from xueka.contexts.production import api as production
from xueka.platform.crypto.sm2 import PrivateKey


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
