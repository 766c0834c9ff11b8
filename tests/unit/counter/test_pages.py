"""The counter's pages beside the plain way: what fails, what is doubtful, what a stranger gets."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from django.utils.html import escape

from tests.unit.cards.conftest import NOW
from tests.unit.printing.conftest import AGENT, EAST, Counter
from xueka.contexts.cards import api as cards
from xueka.contexts.cards.models import Card, CardKind
from xueka.contexts.numbers import api as numbers
from xueka.contexts.personalization import api as personalization
from xueka.contexts.personalization.models import Agent
from xueka.contexts.printing import api as printing
from xueka.contexts.printing.models import Printer, Spoil, Supply
from xueka.contexts.registry.models import Student
from xueka.kernel import clock
from xueka.platform.history import services as history
from xueka.platform.identity import services
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.models import User

SYSTEM = Actor.system("test")


def person(username: str, role: str, district: str) -> Client:
    user, _ = services.create_user(SYSTEM, username, username, role, district=district)
    User.objects.filter(pk=user.pk).update(must_change_password=False)
    client = Client()
    client.force_login(user, "xueka.platform.identity.backends.Password")
    return client


@pytest.fixture
def plain(counter: Counter) -> Counter:
    """Cards without a chip: nothing is written, all else is the same."""
    CardKind.objects.update(transit_source="none", beijing_tong_source="none")
    return counter


@pytest.fixture
def clerk(counter: Counter) -> Client:
    return person("counter", "counter_operator", "110101")


def waiting(counter: Counter) -> cards.Application:
    with transaction.atomic():
        [id_] = counter.city.accepted(counter.city.students())
        cards.to_counter(EAST, [id_])
    return cards.application(EAST.scope, id_)


def begun(counter: Counter, clerk: Client) -> Card:
    return begun_with(waiting(counter), clerk)


def begun_with(paper: cards.Application, clerk: Client) -> Card:
    answer = clerk.post(f"/counter/applications/{paper.number}/issue/")
    assert answer.status_code == 302, answer.content.decode()
    return Card.objects.get(application=paper, state="issuing")


def heading(page: Any) -> str:
    """Whose paper or card is shown."""
    found = re.search(r"<h1>(.*?)</h1>", page.content.decode())
    assert found is not None
    return found[1]


def act(clerk: Client, card: Card, verb: str, **given: str) -> str:
    answer = clerk.post(f"/counter/cards/{card.number}/{verb}/", given, follow=True)
    return answer.content.decode()


def test_from_the_queue_to_the_hand_without_a_chip(plain: Counter, clerk: Client) -> None:
    paper = waiting(plain)
    home = clerk.get("/counter/").content.decode()
    assert paper.account.student.name in home and "开始制卡" in home
    for side in ("front", "back"):
        picture = clerk.get(f"/counter/applications/{paper.number}/{side}.png")
        assert picture.content.startswith(b"\x89PNG") and "no-store" in picture["Cache-Control"]
    assert clerk.get(f"/counter/applications/{paper.number}/edge.png").status_code == 404
    card = begun(plain, clerk)
    assert "等待打印卡面" in clerk.get(f"/counter/cards/{card.number}/").content.decode()
    assert "排队中" in act(clerk, card, "print")
    address = f"/counter/cards/{card.number}/progress/"
    assert "排队中" in clerk.get(address, {"shape": "progress-1"}).content.decode()
    work = printing.next_job(AGENT)
    assert work is not None
    gone = clerk.get(address, {"shape": "progress-1"})
    assert gone["HX-Refresh"] == "true", "it cannot be called off any more"
    printing.report(AGENT, work.job, "printed")
    over = clerk.get(address)
    assert (over.status_code, over["HX-Refresh"]) == (204, "true")
    assert "请领卡人核对后发放" in act(clerk, card, "finish")
    assert "请选择领卡人" in act(clerk, card, "give", agreed="1")
    assert "已发放" in act(clerk, card, "give", receiver="guardian", agreed="1")
    card.refresh_from_db()
    assert card.state == "active"


def test_a_chip_is_not_written_where_no_agent_is(counter: Counter, clerk: Client) -> None:
    paper = waiting(counter)
    answer = clerk.post(f"/counter/applications/{paper.number}/issue/")
    assert "发卡代理没有注册" in answer.content.decode()
    assert cards.application(EAST.scope, paper.number).state == "at_counter"  # nothing half-done
    assert not Card.objects.filter(application=paper.id).exists()


def test_a_face_that_cannot_be_printed_says_so_before_the_start(plain: Counter, clerk: Client) -> None:
    paper = waiting(plain)
    Student.objects.filter(account__applications=paper.id).update(name="阿" * 40)
    page = clerk.get(f"/counter/applications/{paper.number}/").content.decode()
    assert "缩到最小的字也印不下" in page and "卡面不能打印，原因见上。" in page


def test_what_nobody_knows_is_asked_and_another_print_needs_a_reason(plain: Counter, clerk: Client) -> None:
    card = begun(plain, clerk)
    act(clerk, card, "print")
    work = printing.next_job(AGENT)
    assert work is not None
    printing.report(AGENT, work.job, "unknown", "卡片卡住")
    page = clerk.get(f"/counter/cards/{card.number}/").content.decode()
    assert "结果不明，请看卡" in page and "请从打印机取出卡" in page and "卡片卡住" in page
    assert "没有印出" in act(clerk, card, "settle", printed="")
    assert "请选择理由" in act(clerk, card, "print")
    assert "排队中" in act(clerk, card, "print", reason="not_printed")
    assert "等待打印卡面" in act(clerk, card, "unprint")


def test_a_spoilt_card_goes_into_the_box_and_the_paper_back_into_the_queue(
    plain: Counter, clerk: Client
) -> None:
    card = begun(plain, clerk)
    act(clerk, card, "print")
    work = printing.next_job(AGENT)
    assert work is not None
    printing.report(AGENT, work.job, "printed")
    assert "请选择理由" in act(clerk, card, "spoil")
    page = act(clerk, card, "spoil", reason="print", note="偏了")
    assert "已作废。请把卡剪角，放入废卡盒。" in page and "开始制卡" in page
    card.refresh_from_db()
    assert (card.state, Spoil.objects.get().job_id) == ("failed", work.job)
    assert "废卡已收好，重新制卡" in clerk.get(f"/counter/cards/{card.number}/").content.decode()
    assert "开始制卡" in act(clerk, card, "scrap")
    assert Spoil.objects.count() == 1


def test_the_next_step_is_not_skipped(plain: Counter, clerk: Client) -> None:
    card = begun(plain, clerk)
    assert "卡面还没有印好" in act(clerk, card, "finish")
    assert "没有正在写的卡" in act(clerk, card, "abort", note="x")
    assert "没有打印任务" in act(clerk, card, "settle", printed="1")
    assert clerk.post(f"/counter/cards/{card.number}/nothing/").status_code == 404
    card.refresh_from_db()
    assert card.state == "issuing"


def test_accepted_papers_come_to_the_counter_and_go_back(counter: Counter, clerk: Client) -> None:
    [paper] = counter.city.accepted(counter.city.students())
    preview = clerk.post("/counter/accepted/preview/to_counter/", {"keys": [paper]}).content.decode()
    assert "改为柜台制卡 1 份" in preview
    clerk.post("/counter/accepted/do/to_counter/", {"keys": [paper]})
    assert cards.application(EAST.scope, paper).state == "at_counter"
    page = clerk.post("/counter/accepted/do/to_bureau/", {"keys": [paper]}, follow=True).content.decode()
    assert "改回卡厂制卡 1 份" in page
    assert cards.application(EAST.scope, paper).state == "accepted"
    assert clerk.post("/counter/accepted/do/away/", {"keys": [paper]}).status_code == 404


def test_the_queue_is_searched(plain: Counter, clerk: Client) -> None:
    paper, _ = waiting(plain), waiting(plain)
    student = paper.account.student
    found = clerk.get("/counter/", {"q": student.education_id})
    assert found["Location"] == f"/counter/applications/{paper.number}/"
    assert "队列里没有这一份" in clerk.get("/counter/", {"q": "99999999"}).content.decode()


def test_each_operator_gets_another_paper_and_sees_what_a_colleague_has(
    plain: Counter, clerk: Client
) -> None:
    cache.clear()
    first, second = waiting(plain), waiting(plain)
    name = first.account.student.name
    assert heading(clerk.get("/counter/")) == name
    other = person("counter2", "counter_operator", "110101")
    page = other.get("/counter/")
    assert heading(page) == second.account.student.name
    assert "counter在办" in page.content.decode()
    page = other.get(f"/counter/applications/{first.number}/").content.decode()
    assert "counter正在办这一份。" in page and "接着办" in page
    assert heading(clerk.get("/counter/")) == name, "looking takes nothing away"
    card = begun_with(first, clerk)
    assert heading(clerk.get("/counter/")) == name
    assert heading(other.get("/counter/")) == second.account.student.name
    assert "counter正在制这张卡。" in other.get(f"/counter/cards/{card.number}/").content.decode()
    act(other, card, "print")  # who does something has it
    assert heading(other.get("/counter/")) == name
    assert "counter2正在制这张卡。" in clerk.get(f"/counter/cards/{card.number}/").content.decode()


def test_who_opens_another_paper_leaves_the_first_one_to_others(plain: Counter, clerk: Client) -> None:
    cache.clear()
    first, second = waiting(plain), waiting(plain)
    clerk.get("/counter/")
    clerk.get(f"/counter/applications/{second.number}/")
    other = person("counter2", "counter_operator", "110101")
    assert heading(other.get("/counter/")) == first.account.student.name
    third = person("counter3", "counter_operator", "110101")
    assert "正在办这一份。" in third.get("/counter/").content.decode(), "all are taken: it is said"


def test_a_printer_is_looked_after(counter: Counter, clerk: Client) -> None:
    page = f"/counter/printers/{counter.printer.id}/"
    supply = Supply.objects.get(printer=counter.printer, sort="ribbon")
    clerk.post(f"{page}count/", {"supply": supply.id, "left": "12", "note": "数过"})
    shown = clerk.get(page).content.decode()
    assert "快用完" in shown and "数过" in shown
    assert escape("一号打印机：色带只剩 12 张") in clerk.get("/counter/printers/").content.decode()
    clerk.post(f"{page}load/", {"supply": supply.id})
    supply.refresh_from_db()
    assert supply.left == 200
    clerk.post(f"{page}close/")
    assert not printing.printer(EAST.scope, counter.printer.id).is_open
    clerk.post(f"{page}open/")
    assert clerk.post(f"{page}burn/").status_code == 404
    assert clerk.post(f"{page}load/", {"supply": "x"}).status_code == 404
    assert clerk.post("/counter/equipment/choose/", {"printer": counter.printer.id}).status_code == 302


def test_a_shortage_of_blanks_is_said_on_the_counter(counter: Counter, clerk: Client) -> None:
    page = clerk.get("/counter/").content.decode()
    assert "白卡只剩" not in page and "在库" not in page, "no lot ever came: an empty stock says nothing"
    box = Supply.objects.get(printer=counter.printer, sort="cards")
    printing.count_supply(EAST, box.id, 15, "数过")
    assert "白卡只剩 15 张" in clerk.get("/counter/").content.decode()
    printing.count_supply(EAST, box.id, 0, "数过")
    assert "白卡用完了" in clerk.get("/counter/equipment/").content.decode()
    numbers.import_blank_lot(SYSTEM, "序号,芯片UID\n1,04A1B2C3000001\n".encode(), "L1", "公司", "甲")
    assert "空白卡在库 1 张" in clerk.get("/counter/equipment/").content.decode()


def test_what_a_printer_said_long_ago_is_not_shown_as_now(counter: Counter, clerk: Client) -> None:
    printing.hear(AGENT, [{"name": "Zebra ZC300", "state": "idle", "message": "空闲"}])
    assert "空闲" in clerk.get("/counter/equipment/").content.decode()
    with clock.at(NOW + timedelta(seconds=61)):
        for page in ("equipment/", "printers/", f"printers/{counter.printer.id}/"):
            shown = clerk.get(f"/counter/{page}").content.decode()
            assert "空闲" not in shown and "没有消息" in shown, page


def test_a_stopped_counter_goes_on_when_its_clerk_says_why(counter: Counter, clerk: Client) -> None:
    with transaction.atomic():
        code, _ = personalization.make_code(SYSTEM, "110101")
        agent = personalization.enrol(code, "一号柜台", bytes(32), "0.1.0", "127.0.0.1")
        Printer.objects.update(agent=agent.code)
    assert "恢复这个柜台" not in clerk.get("/counter/").content.decode()
    with transaction.atomic():
        history.apply(
            personalization.AGENT, Agent, [agent.pk], "stop", Actor.system("personalization"), reason="三张"
        )
    assert "恢复这个柜台" in clerk.get("/counter/").content.decode()
    assert clerk.post("/counter/equipment/resume/", {"note": ""}).status_code == 400
    clerk.post("/counter/equipment/resume/", {"note": "换了一盒空白卡"})
    agent.refresh_from_db()
    assert agent.state == "enrolled"
    assert "恢复这个柜台" not in clerk.get("/counter/").content.decode()


def test_strangers_find_nothing(plain: Counter, clerk: Client) -> None:
    card, paper = begun(plain, clerk), waiting(plain)
    west = person("west", "counter_operator", "110102")
    for address in (
        f"/counter/cards/{card.number}/",
        f"/counter/cards/{card.number}/progress/",
        f"/counter/cards/{card.number}/front.png",
        f"/counter/applications/{paper.number}/",
        f"/counter/applications/{paper.number}/front.png",
        f"/counter/printers/{plain.printer.id}/",
    ):
        assert west.get(address).status_code == 404, address
    for address in (
        f"/counter/cards/{card.number}/spoil/",
        f"/counter/applications/{paper.number}/issue/",
        f"/counter/printers/{plain.printer.id}/close/",
        "/counter/equipment/choose/",
    ):
        given = {"reason": "print", "printer": plain.printer.id}
        assert west.post(address, given).status_code == 404, address
    district = person("district", "district_officer", "110101")
    assert district.get(f"/counter/cards/{card.number}/").status_code == 403
    assert district.get("/counter/accepted/").status_code == 200
    card.refresh_from_db()
    assert card.state == "issuing"
