"""The year turns: a school promotes itself in five clicks; the city merges two schools and takes it back."""

from django.db import transaction
from playwright.sync_api import Page, expect

from tests.journeys.support import assert_sound
from tests.journeys.town import SYSTEM, Town, add_user, clicks, picture
from xueka.contexts.registry import api as registry
from xueka.contexts.schoolyear import api as year


def work() -> None:
    """What the sweep does meanwhile."""
    while year.work(60):
        pass


def test_a_school_promotes_itself(page: Page, town: Town) -> None:
    students = town.students()
    town.log_in(page, "school")
    page.goto("/school/year/")
    expect(page.get_by_role("heading", name="下学年的班")).to_be_visible()
    assert_sound(page)
    picture(page, "school-year")
    page.get_by_role("link", name="三年级1班").click()
    page.get_by_role("row").filter(has_text=students[0].name).get_by_role("button", name="留级").click()
    expect(page.get_by_text(f"{students[0].name}：留级。")).to_be_visible()
    page.get_by_role("row").filter(has_text=students[1].name).get_by_role("button", name="离校").click()
    page.get_by_role("dialog").get_by_text("转出").click()
    page.get_by_role("dialog").get_by_role("button", name="离校").click()
    expect(page.get_by_text("离校 转出", exact=True)).to_be_visible()
    assert_sound(page)
    picture(page, "school-year-class")
    page.get_by_role("button", name="名单无误，确认").click()
    expect(page.get_by_text("名单已确认。")).to_be_visible()

    page.goto("/school/year/")
    page.get_by_label("每个学段的一年级共有几个班").fill("2")
    page.get_by_role("button", name="建班").click()
    page.get_by_role("button", name="确认建新生班").click()
    work()
    assert len(registry.classes(SYSTEM.scope, students[0].school_id)) == 4
    page.goto(f"/school/year/{students[-1].school_class_id}/")
    page.get_by_label("新的班名").fill("1班")
    page.get_by_role("button", name="开始预览").click()
    expect(page.get_by_role("heading", name="会办理 6 人", exact=True)).to_be_visible()
    page.get_by_role("button", name="取消作业").click()

    page.goto("/school/")
    with clicks(page) as counted:
        page.get_by_role("link", name="学年", exact=True).click()
        page.get_by_role("button", name="本校升级").click()
        expect(page.get_by_role("heading", name="会办理", exact=False).first).to_be_visible()
        assert_sound(page)
        picture(page, "school-year-preview")
        page.get_by_role("button", name="确认升级").click()
        expect(page.get_by_text("系统正在逐校办理")).to_be_visible()
        assert counted() <= 5
    assert_sound(page)
    work()
    page.reload()
    expect(page.get_by_text("已完成").first).to_be_visible()
    assert_sound(page)
    picture(page, "school-year-done")
    present = registry.student(SYSTEM.scope, students[5].id)
    assert present.school_class.grade == 4
    assert registry.student(SYSTEM.scope, students[0].id).school_class.grade == 3
    assert registry.student(SYSTEM.scope, students[1].id).status == "转出"


def test_the_city_merges_two_schools_and_takes_it_back(page: Page, town: Town) -> None:
    moved = town.students("second")
    with transaction.atomic():
        town.passwords["second"] = add_user("second", "孙琪", "city_operator", town.schools["first"])
        add_user("officer2", "冯敏", "school_officer", town.schools["second"])
    town.log_in(page, "operator")
    page.goto("/city/year/")
    assert_sound(page)
    picture(page, "city-year")
    page.get_by_role("link", name="改学制").click()
    page.get_by_label("学校标识码").fill("1")
    page.get_by_label("五四学制").check()
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("没有找到这所学校。")).to_be_visible()
    assert_sound(page)
    page.get_by_label("学校标识码").fill(town.schools["second"].code)
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("改为五四学制。")).to_be_visible()
    assert registry.school(SYSTEM.scope, town.schools["second"].code).schooling == "five_four"
    page.get_by_role("link", name="合并、更名、撤销、换卡").click()
    page.get_by_label("合并学校").check()
    page.locator("#id_school").fill(town.schools["second"].code)
    page.locator("#id_into").fill(town.schools["first"].code)
    assert_sound(page)
    page.get_by_role("button", name="开始预览").click()
    expect(page.get_by_role("heading", name="会办理", exact=False).first).to_be_visible()
    expect(page.get_by_text("由您建立，须由另一个人确认。")).to_be_visible()
    assert_sound(page)
    picture(page, "city-year-merge")
    address = page.url
    page.context.clear_cookies()
    town.log_in(page, "second")
    page.goto(address)
    page.get_by_role("button", name="确认合并学校").click()
    expect(page.get_by_text("系统正在逐校办理")).to_be_visible()
    work()
    assert registry.student(SYSTEM.scope, moved[0].id).school_id == town.schools["first"].id
    page.reload()
    page.get_by_role("button", name="撤回").click()
    page.get_by_role("dialog").get_by_role("textbox").fill("方案改了")
    page.get_by_role("dialog").get_by_role("button", name="撤回").click()
    expect(page.get_by_text("正在撤回，逐人恢复。")).to_be_visible()
    work()
    page.reload()
    expect(page.get_by_text("已撤回").first).to_be_visible()
    assert_sound(page)
    picture(page, "city-year-back")
    assert registry.student(SYSTEM.scope, moved[0].id).school_id == town.schools["second"].id
    assert registry.school(SYSTEM.scope, town.schools["second"].code).is_open


def test_a_district_sees_its_schools(page: Page, town: Town) -> None:
    town.log_in(page, "district")
    page.goto("/district/year/")
    expect(page.get_by_text("东城区实验小学")).to_be_visible()
    assert_sound(page)
    page.get_by_role("button", name="全区升级").click()
    page.get_by_role("dialog").get_by_role("button", name="开始预览").click()
    expect(page.get_by_role("heading", name="会办理", exact=False).first).to_be_visible()
    picture(page, "district-year")
    page.get_by_role("button", name="取消作业").click()
    expect(page.get_by_text("已取消，没有任何改动。")).to_be_visible()


def test_a_transfer_is_asked_for_and_both_schools_confirm(page: Page, town: Town) -> None:
    [student] = town.students()[:1]
    with transaction.atomic():
        town.in_hand([student])
        other = town.schools["second"]
        registry.SchoolClass.objects.create(school=other, stage="小学", grade=3, name="1班")
        town.passwords["there"] = add_user("there", "冯敏", "school_officer", other)
    town.log_in(page, "school")
    page.goto(f"/school/transfers/new/?student={student.education_id}")
    assert_sound(page)
    page.locator("#id_to_school").fill(other.code)
    page.locator("#id_reason").fill("搬家")
    page.get_by_role("button", name="申请", exact=True).click()
    expect(page.get_by_text("已申请，等待对方确认。")).to_be_visible()
    assert_sound(page)
    picture(page, "school-transfers")
    page.context.clear_cookies()
    town.log_in(page, "there")
    page.get_by_role("link", name="转学").first.click()
    page.get_by_role("button", name="同意接收").click()
    page.get_by_role("dialog").get_by_role("button", name="同意接收").click()
    expect(page.get_by_text("双方都已确认，已转学，已备好换卡申领")).to_be_visible()
    assert_sound(page)
    assert registry.student(SYSTEM.scope, student.id).school_id == other.id
