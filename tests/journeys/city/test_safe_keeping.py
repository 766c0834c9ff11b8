"""Figures of a term, a plan, backups, and a list of names that leaves by approval."""

import io
from pathlib import Path

import pytest
from django.db import transaction
from playwright.sync_api import Page, expect
from python_calamine import CalamineWorkbook

from tests.journeys.city.conftest import log_out, press
from tests.journeys.support import assert_sound
from tests.journeys.town import Town, add_user, picture
from xueka.contexts.reporting import api as reporting
from xueka.contexts.reporting.jobs import exports
from xueka.platform.backup import keeper
from xueka.platform.crypto import sealing

# The manual shows a folder as a city has it, not that of the test.
_ELSEWHERE = """([path, shown]) => {
    for (const line of document.querySelectorAll("p")) {
        line.textContent = line.textContent.replace(path, shown)
    }
}"""


def test_figures_and_their_plan(page: Page, people: Town) -> None:
    everyone = people.students()
    people.in_hand(everyone[:9])
    people.on_the_way(everyone[9:12])
    people.submitted(everyone[12:15])
    people.log_in(page, "operator")
    page.goto(f"/city/plan/?term={reporting.term().code}")
    page.get_by_label("第 1 周计划发放").fill("许多")
    press(page, "保存计划")
    expect(page.get_by_role("alert").first).to_contain_text("第 1 周的计划数不是整数")
    for week in reporting.term().weeks:
        page.get_by_label(f"第 {week.number} 周计划发放", exact=True).fill(str(3 + week.number % 5))
    press(page, "保存计划")
    expect(page.get_by_text("已保存。")).to_be_visible()
    assert_sound(page)
    picture(page, "city-plan")

    page.get_by_role("link", name="统计", exact=True).click()
    expect(page.get_by_role("heading", name="全市")).to_be_visible()
    expect(page.get_by_text("9 / 27 名应持卡学生")).to_be_visible()
    assert_sound(page)
    picture(page, "city-statistics")
    with page.expect_download() as download:
        page.get_by_role("link", name="导出 XLSX").click()
    book = CalamineWorkbook.from_filelike(io.BytesIO(Path(download.value.path()).read_bytes()))
    assert book.sheet_names == ["各单位", "按周", "按日", "用时", "申领原因", "控制数"]
    page.get_by_role("link", name="东城区", exact=True).last.click()
    page.get_by_role("link", name="东城区示范小学", exact=True).last.click()
    expect(page.get_by_text("各班持卡")).to_be_visible()
    assert_sound(page)
    log_out(page)
    people.log_in(page, "district")
    assert page.goto("/statistics/?school=2111020001").status == 404
    assert page.goto("/statistics/?district=110102").status == 404


def test_backups_are_seen_and_started(
    page: Page, people: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse battery")
    monkeypatch.setenv("XUEKA_BACKUP_DIR", str(tmp_path / "backups"))
    monkeypatch.setenv("XUEKA_BACKUP_PASSPHRASE_FILE", str(secret))
    monkeypatch.setattr(sealing, "COST", 2**10)
    people.passwords["admin"] = _admin(people)
    people.log_in(page, "admin")
    page.goto("/city/backups/")
    expect(page.get_by_text("还没有备份。按“立即备份”做第一份。")).to_be_visible()
    assert_sound(page)
    press(page, "立即备份")
    expect(page.get_by_text("等候中")).to_be_visible()
    assert keeper.look() is not None
    page.goto("/city/backups/")
    expect(page.get_by_role("cell", name="人工")).to_be_visible()
    expect(page.get_by_text("还没有做过恢复演练").first).to_be_visible()
    assert_sound(page)
    page.evaluate(_ELSEWHERE, [str(tmp_path), "/mnt"])
    picture(page, "city-backups")


@transaction.atomic
def _admin(people: Town) -> str:
    return add_user("admin", "陈立", "city_admin", people.schools["first"])


def test_a_list_of_names_leaves_by_approval(page: Page, people: Town) -> None:
    people.log_in(page, "school")
    page.get_by_role("link", name="名单导出").click()
    assert_sound(page)
    page.get_by_role("link", name="申请导出").first.click()
    press(page, "提交申请")
    expect(page.get_by_text("用途").first).to_be_visible()
    page.get_by_label("用途").fill("发给班主任核对照片和姓名")
    assert_sound(page)
    press(page, "提交申请")
    expect(page.get_by_text("待批准").first).to_be_visible()
    number = page.url.rstrip("/").rsplit("/", 1)[-1]
    log_out(page)

    people.log_in(page, "operator")
    page.goto(f"/exports/{number}/")
    picture(page, "city-export")
    press(page, "批准")
    expect(page.get_by_text("已批准，正在生成文件。")).to_be_visible()
    exports()
    log_out(page)

    people.log_in(page, "school")
    page.goto(f"/exports/{number}/")
    assert_sound(page)
    with page.expect_download() as download:
        press(page, "下载")
    book = CalamineWorkbook.from_filelike(io.BytesIO(Path(download.value.path()).read_bytes()))
    rows = book.get_sheet_by_name("学生").to_python()
    assert len(rows) == 20 and number in str(rows[0][0]) and "周敏" in str(rows[0][0])
    page.reload()
    expect(page.get_by_role("cell", name="周敏", exact=True)).to_be_visible()
