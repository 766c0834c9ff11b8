"""The city: a batch under two people, the return, packing and dispatch, and what went wrong."""

import time
from concurrent.futures import ThreadPoolExecutor

from django.db import connection, transaction
from playwright.sync_api import Page, expect

from tests.journeys.city.conftest import accepted, approved, log_out, press
from tests.journeys.support import assert_sound
from tests.journeys.town import SYSTEM, Town, picture
from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.contexts.production import api as production


def sweep_until_final(number: str) -> None:
    """As the worker does, until the bureau has said its last word; in a thread, beside Playwright's loop."""
    batch_id = production.batch(SYSTEM.scope, number).batch.id

    def work() -> None:
        deadline = time.monotonic() + 60
        while not production.has_final_return(SYSTEM.scope, batch_id) and time.monotonic() < deadline:
            production.sweep()
            time.sleep(0.05)
        connection.close()

    with ThreadPoolExecutor(1) as worker:
        worker.submit(work).result()


def test_a_batch_goes_to_the_bureau_and_comes_back(page: Page, people: Town, bureau_at_work: None) -> None:
    accepted(people, 5)
    people.log_in(page, "operator")
    expect(page.get_by_role("heading", name="今天的流水线")).to_be_visible()
    assert_sound(page)
    picture(page, "city-home")
    expect(page.get_by_role("link", name="去设计划")).to_be_visible()
    expect(page.locator(".xk-chart-table th", has_text="计划发放")).to_have_count(0)
    page.get_by_role("link", name="组批").click()
    assert_sound(page)
    page.get_by_role("button", name="建立批次").click()
    expect(page.locator("main")).to_contain_text("5 张")
    number = page.url.rstrip("/").rsplit("/", 1)[1]
    press(page, "锁定", "锁定")
    expect(page.locator("main")).to_contain_text("已锁定，待复核")
    expect(page.locator(".xk-why", has_text="请由另一位运营复核")).to_be_visible()
    assert_sound(page)
    picture(page, "city-batch-locked")

    log_out(page)
    people.log_in(page, "operator2")
    page.goto(f"/city/batches/{number}/")
    press(page, "复核通过", "复核通过")
    expect(page.get_by_text("系统正在生成文件")).to_be_visible()
    sweep_until_final(number)
    page.reload()
    expect(page.locator("main")).to_contain_text("回盘核对中")
    expect(page.locator("main")).to_contain_text(f"XKP_{number}_1.zip")
    expect(page.locator("main")).to_contain_text(f"XKR_{number}_1.zip")
    assert_sound(page)
    picture(page, "city-batch")
    press(page, "结批", "结批")
    expect(page.get_by_text("已结批：每张卡都有着落")).to_be_visible()
    assert production.six_numbers(SYSTEM.scope, production.batch(SYSTEM.scope, number).batch.id).matched == 5

    page.goto("/city/deliveries/")
    press(page, "装箱（5 张）", "装箱")
    expect(page.get_by_text("已装箱：1 所学校")).to_be_visible()
    page.locator("main table tbody a").first.click()
    page.get_by_label("运单号").fill("SF1234567890")
    assert_sound(page)
    picture(page, "city-dispatch")
    with page.expect_download() as paper:
        page.get_by_role("button", name="装箱单 PDF").click()
    assert paper.value.path().read_bytes().startswith(b"%PDF")
    page.get_by_role("button", name="发运", exact=True).click()
    expect(page.get_by_text("已发运")).to_be_visible()
    assert logistics.counts(SYSTEM.scope).cards_in_transit == 5


def test_a_lost_box_blocks_its_cards(page: Page, people: Town) -> None:
    box = people.on_the_way(people.students()[:3])
    people.log_in(page, "operator")
    page.goto(f"/city/deliveries/{box.delivery.number}/")
    page.get_by_role("button", name="登记丢失").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("承运方确认遗失")
    dialog.get_by_role("button", name="登记丢失").click()
    expect(page.get_by_text("3 张卡已作废")).to_be_visible()
    assert_sound(page)
    assert {place.card.state for place in logistics.contents(box)} == {"void"}


def test_a_difference_on_receipt_is_settled(page: Page, people: Town) -> None:
    box = people.on_the_way(people.students()[:3])
    numbers = [place.card.number for place in logistics.contents(box)]
    with transaction.atomic():
        logistics.receive_box(SYSTEM, box.number, numbers[1:])
    people.log_in(page, "operator")
    page.goto("/city/discrepancies/")
    assert_sound(page)
    picture(page, "city-discrepancies")
    press(page, "作废并重制", "确认")
    expect(page.get_by_text("没有收货差异")).to_be_visible()
    assert_sound(page)
    assert cards.card(SYSTEM.scope, numbers[0]).state == "void"


def test_a_wrong_return_file_changes_nothing(page: Page, people: Town, bureau_at_work: None) -> None:
    ids = accepted(people, 2)
    batch = approved(people, ids)
    sweep_until_final(batch.number)
    people.log_in(page, "operator")
    page.goto(f"/city/batches/{batch.number}/")
    page.locator("input[type=file]").set_input_files(
        {"name": f"XKR_{batch.number}_9.zip", "mimeType": "application/zip", "buffer": b"PK\x03\x04 not one"}
    )
    if page.get_by_role("button", name="核对并入账").is_visible():
        page.get_by_role("button", name="核对并入账").click()
    expect(page.get_by_text("整份拒收，没有任何改动").first).to_be_visible()
    page.goto("/city/problems/")
    expect(page.locator("main")).to_contain_text("拒收：卡厂的文件被整份拒收")
    assert_sound(page)
    picture(page, "city-problems")
    press(page, "我来处理")
    expect(page.locator("main")).to_contain_text("王芳")
    assert production.six_numbers(SYSTEM.scope, batch.id).matched == 2


def test_ranges_are_entered_and_an_overlap_is_refused(page: Page, people: Town) -> None:
    people.log_in(page, "operator")
    page.goto("/city/numbers/")
    assert_sound(page)
    picture(page, "city-numbers")
    page.get_by_label("号码种类").select_option("transit")
    page.get_by_label("发放单位").fill("一卡通公司")
    page.get_by_label("前缀").fill("10007500")
    page.get_by_label("序号位数").fill("8")
    page.get_by_label("起始序号").fill("5")
    page.get_by_label("终止序号").fill("50")
    page.get_by_role("button", name="登记", exact=True).click()
    expect(page.get_by_text("重叠").first).to_be_visible()
    page.get_by_label("前缀").fill("10007599")
    page.get_by_role("button", name="登记", exact=True).click()
    expect(page.get_by_text("号段已登记")).to_be_visible()


def test_a_roster_is_tried_then_imported(page: Page, people: Town) -> None:
    people.log_in(page, "operator")
    page.goto("/city/imports/")
    assert_sound(page)
    picture(page, "city-imports")
    roster = (
        "学校标识码,学校名称,学段,年级,班级,姓名,性别,出生日期,证件类型,证件号码,全国学籍号,教育ID,学籍状态,"
        "监护人姓名,监护人手机,现住址\n"
        "2111010001,东城区示范小学,小学,1,1班,马若天,男,2018-08-13,居民身份证,110101201808131233,"
        "G110101201808131233,96085165,在校,于宇可,17900017564,北京市东城区样例路56号\n"
        "2111010001,东城区示范小学,小学,1,1班,马一文,女,2018-09-16,居民身份证,110101201809161235,"
        "G110101201809161235,10236946,在校,郑然子,19400012392,北京市东城区样例路31号\n"
    )
    upload = {"name": "名册.csv", "mimeType": "text/csv", "buffer": roster.encode()}
    page.locator("input[type=file]").first.set_input_files(upload)
    page.locator("button", has_text="试算").first.click()
    expect(page.get_by_text("试算完成，没有改动数据").first).to_be_visible()
    assert_sound(page)
    picture(page, "city-import-result")
    expect(page.locator("main")).to_contain_text("校验")


def test_the_auditor_reads_and_strangers_do_not(page: Page, people: Town) -> None:
    people.log_in(page, "auditor")
    expect(page.get_by_role("heading", name="审计日志")).to_be_visible()
    assert_sound(page)
    picture(page, "city-audit", whole=False)
    for path in ("/city/imports/", "/city/deliveries/", "/city/discrepancies/"):
        assert page.request.get(path).status == 403, path
    log_out(page)
    people.log_in(page, "school")
    for path in ("/city/", "/city/batches/", "/city/audit/", "/city/imports/"):
        assert page.request.get(path).status == 403, path
