"""A school officer applies for a class with photos, and corrects what came back."""

import io
import re
import zipfile
from pathlib import Path

from django.db import transaction
from PIL import Image
from playwright.sync_api import Page, expect

from tests.journeys.support import assert_sound, screenshot
from tests.journeys.town import SYSTEM, Town, clicks, picture, portrait
from xueka.contexts.cards import api as cards


def archive(town: Town, folder: Path) -> Path:
    """Photos of the first class: the last child has none, one file is no photo, one is nobody's."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for index, student in enumerate(town.students()[:11]):
            content = b"not a photo" if index == 10 else portrait(index)
            file.writestr(f"三年级1班/{student.education_id}.jpg", content)
        file.writestr("别的班/99999999.jpg", portrait(1))
    path = folder / "三年级1班.zip"
    path.write_bytes(packed.getvalue())
    return path


def test_a_class_is_applied_for_in_five_clicks(page: Page, town: Town, tmp_path: Path) -> None:
    town.log_in(page, "school")
    expect(page.get_by_role("heading", name="今天要办的事")).to_be_visible()
    assert_sound(page)
    picture(page, "school-home")
    with clicks(page) as counted:
        page.get_by_role("link", name="去申领").click()
        page.get_by_role("link", name="三年级1班").click()
        page.locator("input[type=file]").set_input_files(archive(town, tmp_path))
        page.get_by_role("button", name="上传并检查").click()
        page.get_by_role("link", name="全选合格 10 人").click()
        page.get_by_role("button", name="提交 10 人").click()
        expect(page.get_by_role("heading", name="已提交 10 份申领")).to_be_visible()
        assert counted() <= 5
    expect(page.get_by_text("下一步：东城区审核")).to_be_visible()
    expect(page.get_by_label("三年级1班").get_by_role("listitem")).to_have_count(10)
    assert_sound(page)
    picture(page, "school-applied")
    waiting = cards.applications(town.actor("district_officer").scope, states=("district_review",))
    assert len(waiting) == 10
    assert {each.submitted_by for each in waiting} == {"school"}


def test_defects_are_said_beside_the_child(page: Page, town: Town, tmp_path: Path) -> None:
    town.log_in(page, "school")
    page.goto("/school/apply/")
    assert_sound(page)
    picture(page, "school-classes")
    page.get_by_role("link", name="三年级1班").click()
    screenshot(page, "school/class-empty")
    assert_sound(page)
    page.locator("input[type=file]").set_input_files(archive(town, tmp_path))
    page.get_by_role("button", name="上传并检查").click()
    expect(page.get_by_text("收下照片 10 张，2 个文件有问题")).to_be_visible()
    expect(page.get_by_text("文件不是完整的 JPEG 或 PNG 照片")).to_be_visible()
    expect(page.locator(".xk-photo").get_by_text("没有照片").last).to_be_visible()
    expect(page.get_by_text("99999999.jpg", exact=False).first).to_be_visible()
    expect(page.get_by_text("文件名对应不到").first).to_be_visible()
    page.get_by_role("link", name="全选合格 10 人").click()
    assert_sound(page)
    picture(page, "school-photos")


def test_a_stray_photo_finds_its_child_and_a_wide_one_is_cropped(
    page: Page, town: Town, tmp_path: Path
) -> None:
    first, second = town.students()[:2]
    wide = Image.new("RGB", (900, 500), (215, 225, 240))
    wide.paste(Image.open(io.BytesIO(portrait(3))), (300, 40))
    wide.save(tmp_path / f"{first.education_id}.png")
    (tmp_path / f"{second.name}.jpg").write_bytes(portrait(4))
    town.log_in(page, "school")
    page.goto("/school/apply/")
    page.get_by_role("link", name="三年级1班").click()
    page.locator("input[type=file]").set_input_files(sorted(tmp_path.iterdir()))
    page.get_by_role("button", name="上传并检查").click()
    expect(page.get_by_role("heading", name="这些文件没有用上")).to_be_visible()
    assert_sound(page)
    picture(page, "school-strays")
    page.get_by_role("button", name=f"用作{second.name}的照片").click()
    expect(page.get_by_text(f"{second.name}的照片合格，已收下")).to_be_visible()
    expect(page.get_by_text("比例不对")).to_be_visible()
    page.get_by_role("link", name=f"处理 {first.name}").click()
    assert_sound(page)
    size = page.get_by_label("大小")
    size.focus()
    for _ in range(3):
        page.keyboard.press("PageDown")
    page.get_by_label("左右").focus()
    page.keyboard.press("ArrowRight")
    frame = page.locator(".xk-crop-frame")
    left = float(frame.get_attribute("x") or 0)
    box = frame.bounding_box()
    assert box
    page.mouse.move(box["x"] + 30, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 50, box["y"] + 40)
    page.mouse.up()
    assert float(frame.get_attribute("x") or 0) > left
    picture(page, "school-crop")
    page.get_by_role("button", name="裁剪并使用").click()
    expect(page.get_by_text(f"{first.name}的照片已裁剪，合格")).to_be_visible()
    expect(page.get_by_role("link", name="全选合格 2 人")).to_be_visible()


def test_what_was_submitted_is_taken_back(page: Page, town: Town) -> None:
    town.photographed(town.students()[:3])
    town.log_in(page, "school")
    page.goto("/school/apply/")
    page.get_by_role("link", name="三年级1班").click()
    page.get_by_role("link", name="全选合格 3 人").click()
    page.get_by_role("button", name="提交 3 人").click()
    page.get_by_role("button", name="撤回这 3 份").click()
    page.get_by_role("dialog").get_by_role("button", name="撤回", exact=True).click()
    expect(page.get_by_text("撤回 3 份")).to_be_visible()
    expect(page.get_by_role("link", name="全选合格 3 人")).to_be_visible()
    assert cards.application_counts(SYSTEM.scope) == {"withdrawn": 3}


def test_a_returned_application_is_corrected(page: Page, town: Town, tmp_path: Path) -> None:
    students = town.students()[:2]
    ids = town.submitted(students)
    with transaction.atomic():
        cards.send_back(SYSTEM, ids[:1], "photo_unclear", "侧脸")
    town.log_in(page, "school")
    expect(page.locator("main").get_by_text("照片不清晰：侧脸").first).to_be_visible()
    page.get_by_role("link", name="去改正").click()
    assert_sound(page)
    picture(page, "school-returned")
    page.get_by_role("link", name=students[0].name).click()
    expect(page.locator("main").get_by_text("照片不清晰：侧脸").first).to_be_visible()
    assert_sound(page)
    picture(page, "school-correct")
    better = tmp_path / "好照片.jpg"
    better.write_bytes(portrait(40))
    page.locator("input[type=file]").set_input_files(better)
    page.get_by_role("button", name="上传照片").click()
    expect(page.get_by_text("的照片合格，已收下")).to_be_visible()
    page.get_by_role("button", name="提交").click()
    expect(page.get_by_text("现在东城区审核")).to_be_visible()
    page.get_by_role("button", name="撤回").click()
    page.get_by_role("dialog").get_by_role("button", name="撤回").click()
    expect(page.get_by_text(re.compile("已撤回")).first).to_be_visible()
    page.goto("/applications/")
    assert_sound(page)
    picture(page, "school-applications")
