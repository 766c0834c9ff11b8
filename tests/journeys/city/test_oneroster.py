"""A package of the student registry: brought in, the missing looked into, and the way back."""

from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect

from tests.journeys.city.conftest import press
from tests.journeys.support import assert_sound
from tests.journeys.town import Town, picture
from tests.support.oneroster import Record, files_of, zip_of
from xueka.contexts.registry.models import Absence
from xueka.contexts.registry.oneroster import fetching
from xueka.kernel import clock
from xueka.sandbox.registry.__main__ import House, parser


def _package(town: Town) -> bytes:
    """One student has another name and another a document that is none; two are deleted."""
    at, every = clock.now().isoformat(), {"status": "active"}
    document = {"metadata.bj.idType": "无证件", "metadata.bj.idNumber": "", "metadata.bj.nationalNumber": ""}
    pupils = town.students()
    users: list[Record] = [
        {"identifier": pupils[0].education_id, "familyName": "欧阳", "givenName": "文", **every, **document},
        {"identifier": pupils[1].education_id, "familyName": "李", "givenName": "?", **every, **document},
        *({"identifier": each.education_id, "status": "tobedeleted"} for each in pupils[2:4]),
    ]
    users = [{"sourcedId": f"u{n}", "dateLastModified": at, **user} for n, user in enumerate(users)]
    roles = [
        {"sourcedId": f"r{n}", "dateLastModified": at, "userSourcedId": f"u{n}", "role": "student", **every}
        for n in range(2)
    ]
    return zip_of(files_of({"users": users, "roles": roles}, "delta"))


def test_the_registry_is_asked_by_a_click(
    page: Page, people: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits for a person is looked at and applied; the worker's walk is done here."""
    house = House(parser().parse_args(["--home", str(tmp_path / "registry")]))
    house.start()
    monkeypatch.setattr(settings, "ONEROSTER_PARTNER", house.card)
    monkeypatch.setattr(settings, "ONEROSTER_APPLY", "person")
    try:
        people.log_in(page, "operator")
        page.goto("/city/imports/")
        page.get_by_role("button", name="获取变化").click()
        expect(page.get_by_text("正在获取")).to_be_visible()
        fetching.advance(fetching.due_fetches()[0])
        page.goto("/city/imports/")
        expect(page.get_by_text("等人决定")).to_be_visible()
        assert_sound(page)
        picture(page, "city-fetch")
        press(page, "应用差异", "应用")
        expect(page.get_by_text("已应用：新建 0")).to_be_visible()
    finally:
        house.stop()
        house.store.close()


def test_a_package_from_the_file_to_the_way_back(page: Page, people: Town) -> None:
    people.in_hand(people.students()[:1])
    people.log_in(page, "operator")
    page.goto("/city/imports/")
    page.locator("input[type=file]").nth(5).set_input_files(
        [{"name": "delta.zip", "mimeType": "application/zip", "buffer": _package(people)}]
    )
    page.locator("button", has_text="正式导入").nth(2).click()
    expect(page.get_by_role("heading", name="导入结果")).to_be_visible()
    expect(page.get_by_text("users.csv 第 3 行「familyName」")).to_be_visible()
    assert_sound(page)
    picture(page, "city-oneroster")
    here = page.url

    page.get_by_role("link", name="核实缺失的学生").click()
    assert_sound(page)
    picture(page, "city-absences")
    page.get_by_label("选中本页全部").check()
    page.get_by_role("button", name="确认离校").click()
    page.get_by_role("button", name="确认离校", exact=True).first.click()
    page.get_by_role("dialog").get_by_label("核实的情况").fill("学校电话核实")
    page.get_by_role("dialog").get_by_role("button", name="确认离校", exact=True).click()
    expect(page.get_by_text("确认离校：2 人")).to_be_visible()
    press(page, "办理离校", "开始预览")
    expect(page.get_by_role("heading", name="离校处理").first).to_be_visible()
    assert_sound(page)
    assert set(Absence.objects.values_list("state", flat=True)) == {"confirmed"}

    page.goto(here)
    press(page, "准备换卡", "开始预览")
    expect(page.get_by_role("heading", name="换卡准备").first).to_be_visible()
    press(page, "取消作业")
    page.goto(here)
    page.get_by_role("button", name="撤回导入").click()
    assert_sound(page)
    press(page, "撤回导入", "撤回")
    expect(page.get_by_text("已撤回：恢复 1 人")).to_be_visible()
    assert set(Absence.objects.values_list("state", flat=True)) == {"kept"}
