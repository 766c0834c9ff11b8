"""A partner comes in: entered, granted by two, given pack and credential; its program asks and listens."""

import base64
import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import pytest
from django.db import transaction
from playwright.sync_api import Page, expect

from tests.journeys.city.test_line import log_out, press
from tests.journeys.support import assert_sound
from tests.journeys.town import KIND, SYSTEM, Town, picture
from tests.unit.multiapp.conftest import DIRECTORIES, add_version, names_of_keys
from xueka.contexts.cards import api as cards
from xueka.contexts.multiapp import api as multiapp

FILES = "0001 基本信息 二进制 64 free key:education.adf.external\n0002 消费记录 循环记录 200 free free"
SLIP = {"交出人": "赵库管", "接收人": "李工", "交接单编号": "JJ-2026-01"}


@pytest.fixture
def chip(people: Town) -> Town:
    """The chip has directories for partners, and the keys are known by name."""
    with transaction.atomic():
        multiapp.set_areas(SYSTEM, KIND, DIRECTORIES, "student 1.0")
        names_of_keys()
        for label in ("external", "internal"):
            add_version(f"education.adf.{label}")
    return people


def fill(page: Page, values: dict[str, str]) -> None:
    for label, value in values.items():
        page.get_by_label(re.compile(f"^{label}")).fill(value)


def enter_unit(page: Page, town: Town) -> None:
    page.goto("/city/units/")
    assert_sound(page)
    page.get_by_role("link", name="登记单位").first.click()
    assert_sound(page)
    fill(
        page,
        {
            "单位名称": "晨光一卡通公司",
            "用途": "食堂消费、门禁",
            "服务的学校": town.schools["first"].code,
            "合同编号": "HT-2026-018",
            "合同起日": "2026-01-01",
            "合同止日": "2035-12-31",
            "联系人": "李工程",
            "联系电话": "13800001234",
        },
    )
    press(page, "登记")
    expect(page.locator("h1")).to_contain_text("晨光一卡通公司")


def propose(page: Page) -> None:
    page.get_by_role("link", name="授权卡上空间").click()
    assert_sound(page)
    page.get_by_label("卡上目录").select_option(f"{KIND}/campus")
    fill(
        page,
        {
            "字节": "400",
            "文件": FILES,
            "起日": "2026-01-01",
            "止日": "2033-08-31",
        },
    )
    press(page, "提出授权")
    expect(page.locator("main")).to_contain_text("密钥")
    expect(page.get_by_label("education.adf.control")).to_have_count(0)  # no partner gets it
    assert_sound(page)
    page.get_by_label("education.adf.external").check()
    press(page, "提出授权")
    expect(page.get_by_text("请另一位运营批准").first).to_be_visible()
    expect(page.locator("[aria-disabled=true]")).to_contain_text("请由提出人以外的运营批准")


def verified(folder: Path, content: bytes, public: bytes) -> list[str]:
    """The lines of a list whose signature the OpenSSL command has found right."""
    body, _, last = content.rstrip(b"\n").rpartition(b"\n")
    files = {"list": body + b"\n", "sig": base64.b64decode(last.removeprefix(b"SIG\t")), "key.pem": public}
    for name, each in files.items():
        (folder / name).write_bytes(each)
    command = ["openssl", "dgst", "-sm3", "-sigopt", "distid:1234567812345678", "-verify", "key.pem"]
    done = subprocess.run(
        [*command, "-signature", "sig", "list"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "Verified OK", done
    return body.decode().splitlines()


def test_from_the_contract_to_the_next_change_list(page: Page, chip: Town, site: str, tmp_path: Path) -> None:
    [card, other] = chip.in_hand(chip.students()[:2])
    chip.log_in(page, "operator")
    enter_unit(page, chip)
    assert_sound(page)
    unit = page.url
    propose(page)
    grant = page.url

    log_out(page)
    chip.log_in(page, "operator2")
    page.goto("/city/card-grants/")
    assert_sound(page)
    page.goto(grant)
    press(page, "批准", "批准")
    expect(page.locator("main")).to_contain_text("有效")
    press(page, "生成接入资料")
    with page.expect_download() as got:
        page.get_by_role("link", name="第 1 版").click()
    pack = zipfile.ZipFile(io.BytesIO(Path(got.value.path()).read_bytes()))
    public = pack.read("hot-list-sign.pub.pem")
    assert "晨光一卡通公司" in pack.read("README.md").decode()
    assert_sound(page)
    picture(page, "city-card-grant", whole=False)
    page.goto("/city/card-grants/")
    picture(page, "city-card-grants", whole=False)

    page.goto(unit)
    page.get_by_role("link", name="开通接口").click()
    assert_sound(page)
    press(page, "开通")
    assert_sound(page)
    key_id = page.locator("[data-key-id]").inner_text()
    secret = page.locator("[data-secret]").inner_text()
    page.get_by_role("link", name="已交给对方").click()
    expect(page.locator("main")).not_to_contain_text(secret)
    assert_sound(page)

    for _ in range(3):
        with transaction.atomic():
            multiapp.follow()
    with httpx.Client(base_url=f"{site}/api/partner/v1", auth=(key_id, secret), trust_env=False) as partner:
        assert partner.get(f"/cards/{card.number}/validity").json()["state"] == "valid"
        lines = verified(tmp_path, partner.get("/hot-list").content, public)
        version = int(lines[0].split("\t")[2])
        assert lines[1:] == ["END\t0"]
        # The child loses it; the school says so on its page.
        with transaction.atomic():
            cards.report_lost(SYSTEM, card.id)
        with transaction.atomic():
            multiapp.follow()
        assert partner.get(f"/cards/{card.number}/validity").json()["state"] == "lost"
        lines = verified(tmp_path, partner.get(f"/hot-list/changes?since={version}").content, public)
        assert lines[1].split("\t")[:2] == ["+", card.number]
        assert partner.get(f"/cards/{other.number}/validity").json()["state"] == "valid"
        told = {"version": version + 1, "devices": 12, "behind": 2}
        answer = partner.post("/hot-list/reports", json=told, headers={"Idempotency-Key": "first-report"})
        assert answer.json() == {"version": version + 1, "newest": version + 1}
    page.goto("/city/hot-list/")
    expect(page.locator("main")).to_contain_text("10 / 12")
    assert_sound(page)
    picture(page, "city-hot-list", whole=False)
    page.goto(unit)
    assert_sound(page)
    picture(page, "city-unit", whole=False)
    sample_program(site, key_id, secret, card.number, tmp_path)


def test_schools_and_people_come_and_a_unit_is_cut_off_at_once(page: Page, chip: Town) -> None:
    chip.log_in(page, "operator")
    enter_unit(page, chip)
    unit = page.url
    page.get_by_role("link", name="加学校").click()
    assert_sound(page)
    page.get_by_label("学校标识码").fill("1234567890")
    press(page, "加上")
    expect(page.get_by_role("alert").first).to_be_visible()
    assert_sound(page)
    page.get_by_label("学校标识码").fill(f"{chip.schools['first'].code}\n{chip.schools['second'].code}")
    press(page, "加上")
    expect(page.get_by_text("已加上 1 所学校").first).to_be_visible()
    expect(page.locator("main")).to_contain_text(chip.schools["second"].code)

    page.get_by_role("link", name="更换").click()
    assert_sound(page)
    fill(page, {"联系人": "赵工程", "联系电话": "13800004321", "第二联系人的电话": "13800005432"})
    press(page, "更换")
    expect(page.get_by_text("请填写联系人姓名").first).to_be_visible()
    assert_sound(page)
    page.locator("[name=second_name]").fill("钱经理")
    press(page, "更换")
    expect(page.locator("main")).to_contain_text("赵**")
    expect(page.locator("main")).to_contain_text("钱**")
    expect(page.locator("main")).not_to_contain_text("李**")

    page.get_by_role("link", name="开通接口").click()
    press(page, "开通")
    page.goto(unit)
    expect(page.get_by_role("link", name="开通接口")).to_have_count(0)
    press(page, "立即停用")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("密码泄露")
    dialog.get_by_role("button", name="立即停用", exact=True).click()
    expect(page.get_by_text("已停用：吊销 1 个凭证，暂停 0 项授权").first).to_be_visible()
    expect(page.locator("main")).to_contain_text("已吊销")
    assert_sound(page)


def sample_program(site: str, key_id: str, secret: str, number: str, folder: Path) -> None:
    """The sample of the document, as it stands there, run as a partner would."""
    text = (Path(__file__).parents[3] / "docs/interfaces/partner-api.md").read_text("utf-8")
    [program] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (folder / "client.py").write_text(program, "utf-8")
    done = subprocess.run(
        [sys.executable, "client.py", f"{site}/api/partner/v1", key_id, secret, number],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"{number} lost" in done.stdout
    assert "1 cards on the list, signature right" in done.stdout


def test_a_module_from_the_store_to_a_lost_one(page: Page, chip: Town) -> None:
    chip.log_in(page, "operator")
    enter_unit(page, chip)
    propose(page)
    grant = page.url
    log_out(page)
    chip.log_in(page, "operator2")
    page.goto(grant)
    press(page, "批准", "批准")
    page.goto("/city/sams/")
    assert_sound(page)
    page.get_by_role("link", name="入库").first.click()
    assert_sound(page)
    fill(page, SLIP | {"接收人": "赵库管", "交出人": "厂家", "编号": "PSAM-0001\nPSAM-0002"})
    press(page, "入库")
    page.get_by_role("link", name="PSAM-0001").click()
    assert_sound(page)
    page.get_by_role("link", name="装入密钥").click()
    page.get_by_label("装入的密钥").fill("education.adf.external 1 000000")
    press(page, "登记")
    expect(page.get_by_text("校验值不符").first).to_be_visible()
    assert_sound(page)
    page.get_by_label("装入的密钥").fill("education.adf.external 1 8BAF47")
    press(page, "登记")
    page.get_by_role("link", name="发出").click()
    assert_sound(page)
    fill(page, SLIP | {"装在哪台机具": "食堂 1 号机"})
    press(page, "登记")
    expect(page.locator("main")).to_contain_text("市级库房 → 晨光一卡通公司")
    assert_sound(page)
    picture(page, "city-sam", whole=False)
    press(page, "登记丢失")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("机具被盗")
    dialog.get_by_role("button", name="登记丢失", exact=True).click()
    expect(page.get_by_text("已登记丢失，泄露风险")).to_be_visible()
    page.goto("/city/sams/")
    expect(page.locator("main")).to_contain_text("education.adf.external 第 1 版")
    assert_sound(page)
    page.get_by_role("link", name=re.compile("FX")).click()
    expect(page.locator("[aria-disabled=true]")).to_contain_text("请由登记人以外的运营处置")
    assert_sound(page)

    page.goto("/city/stock-takes/")
    press(page, "开始盘点")
    page.get_by_label("扫描模块上的条码").fill("psam-0001")
    page.keyboard.press("Enter")
    expect(page.get_by_text("PSAM-0001 不该在这里")).to_be_visible()
    assert_sound(page)
    take = page.url
    log_out(page)
    chip.log_in(page, "operator")
    page.goto(take)
    press(page, "签认", "签认")
    expect(page.get_by_text("缺 1 个，多 1 个")).to_be_visible()
    assert_sound(page)
