"""A school receives a box by scanning, and hands its cards out."""

from playwright.sync_api import Page, expect

from tests.journeys.support import assert_sound
from tests.journeys.town import Town, picture
from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics


def scan(page: Page, code: str) -> None:
    """As a scanner types: the digits and Enter, into whatever has the focus."""
    page.get_by_label("扫描条码").fill(code)
    page.keyboard.press("Enter")


def said(page: Page, text: str) -> None:
    expect(page.locator(".xk-scan-said")).to_contain_text(text)


def test_a_box_is_received_card_by_card(page: Page, town: Town) -> None:
    box = town.on_the_way(town.students()[:6])
    other = town.on_the_way(town.students("second")[:1])
    numbers = [place.card.number for place in logistics.contents(box)]
    foreign = logistics.contents(other)[0].card.number
    town.log_in(page, "school")
    expect(page.locator("main").get_by_text("预计")).to_be_visible()
    page.get_by_role("link", name="收货").first.click()
    assert_sound(page)
    picture(page, "school-boxes")
    page.get_by_role("textbox", name="箱号").fill(box.number.lower())
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=f"收货：箱 {box.number}")).to_be_visible()
    for index, number in enumerate(numbers[:4], start=1):
        scan(page, number)
        said(page, f"{index} / 6")
    scan(page, numbers[0])
    said(page, "已经扫过")
    scan(page, foreign)
    said(page, "不在本箱")
    scan(page, "999")  # a slip of the finger is taken back at once
    said(page, "不在本箱")
    page.get_by_role("listitem").filter(has_text="999").get_by_role("button", name="扫错了，取消").click()
    expect(page.get_by_text("999 的扫描已取消。")).to_be_visible()
    expect(page.locator(".xk-scan-figures")).to_contain_text("多出 1")

    page.goto("/school/")  # the browser breaks down; what was scanned is still there
    page.goto(f"/school/receive/{box.number}/")
    expect(page.locator(".xk-scan-figures")).to_contain_text("已扫 4")
    page.get_by_role("textbox", name="破损的卡").fill(numbers[4])
    page.get_by_role("button", name="登记为破损").click()
    expect(page.get_by_text("已登记为破损")).to_be_visible()
    assert_sound(page)
    picture(page, "school-scan")
    page.get_by_role("button", name="签收 4 张").click()
    expect(page.get_by_role("dialog")).to_contain_text("缺 1 张，破损 1 张，不属本箱 1 张")
    page.get_by_role("dialog").get_by_role("button", name="签收").click()
    expect(page.get_by_text("已签收 4 张")).to_be_visible()
    differences = page.get_by_label("收货差异")
    expect(differences.get_by_role("row")).to_have_count(4)
    expect(differences).to_contain_text("其他学校的学生")  # whose name stays unknown here
    expect(differences).not_to_contain_text(town.students("second")[0].name)
    assert_sound(page)
    picture(page, "school-box")
    states = [cards.card(town.actor("city_operator").scope, number).state for number in numbers]
    assert states == ["at_school"] * 5 + ["in_transit"]
    found = logistics.discrepancies(town.actor("city_operator").scope)
    assert sorted((each.kind, each.scanned) for each in found) == sorted(
        [("short", numbers[5]), ("damaged", numbers[4]), ("wrong_school", foreign)]
    )


def test_cards_are_handed_out_by_the_class_list(page: Page, town: Town) -> None:
    found = town.at_school(town.students()[:5])
    town.log_in(page, "school")
    page.get_by_role("link", name="去发放").click()
    assert_sound(page)
    picture(page, "school-hand-out-classes")
    page.get_by_role("link", name="三年级1班").click()
    page.get_by_label("选中本页全部").check()
    absent = found[2]
    page.get_by_label(f"选中{absent.student.name}").uncheck()
    assert_sound(page)
    picture(page, "school-hand-out")
    page.get_by_role("button", name="发放", exact=True).click()
    expect(page.get_by_text("本班还有 1 张没有勾选")).to_be_visible()
    assert_sound(page)
    picture(page, "school-hand-out-preview")
    page.get_by_role("button", name="发放 4 张").click()
    expect(page.get_by_text("已发放 4 张。还有 1 张留在名单上")).to_be_visible()
    expect(page.get_by_role("link", name=absent.student.name)).to_be_visible()
    scope = town.actor("school_officer").scope
    assert cards.card_counts(scope) == {"active": 4, "at_school": 1}

    page.get_by_role("link", name="改用扫描发放").click()
    scan(page, "123456789012")
    said(page, "不是本校的卡")
    scan(page, found[0].number)
    said(page, "已经发过")
    scan(page, absent.number)
    said(page, f"{absent.student.name} 已发放")
    assert_sound(page)
    picture(page, "school-hand-out-scan")
    assert cards.card_counts(scope) == {"active": 5}
