"""Operators let a profile out under two people, give a counter its code, and see what was written there."""

from django.db import transaction
from playwright.sync_api import Page, expect

from tests.journeys.city.conftest import log_out, press
from tests.journeys.support import assert_sound
from tests.journeys.town import SYSTEM, Town, picture
from tests.unit.cards.conftest import City
from tests.unit.personalization.conftest import PROFILES, Counter, an_agent, in_force
from tests.unit.personalization.test_scripts import CREATE, script_text
from xueka.contexts.cards import api as cards
from xueka.contexts.keys import api as keys
from xueka.contexts.personalization import api as personalization


def test_a_profile_goes_into_force_under_two_people(page: Page, people: Town) -> None:
    with transaction.atomic():
        in_force("bjt_student-1.0.toml")
    people.log_in(page, "operator")
    page.goto("/city/profiles/")
    expect(page.get_by_role("link", name="北京通学生卡", exact=True)).to_be_visible()
    assert_sound(page)
    page.get_by_role("link", name="载入文件").click()
    wrong = (PROFILES / "bjt_student-2.0.toml").read_text("utf-8").replace("key:external", "key:issuer")
    file = {"name": "a.toml", "mimeType": "text/plain", "buffer": wrong.encode()}
    page.set_input_files("input[type=file]", file)  # type: ignore[arg-type]
    page.get_by_role("button", name="载入", exact=True).click()
    expect(page.get_by_text("访问条件用到的密钥“issuer”不存在").first).to_be_visible()
    assert_sound(page)
    page.set_input_files("input[type=file]", str(PROFILES / "bjt_student-2.0.toml"))
    page.get_by_role("button", name="载入", exact=True).click()
    expect(page.get_by_text("与前一版的不同")).to_be_visible()
    expect(page.get_by_role("cell", name="SM4", exact=True).first).to_be_visible()
    assert_sound(page)
    picture(page, "city-card-profile", whole=False)
    page.get_by_role("button", name="提交复核").click()
    expect(page.get_by_text("已提交复核")).to_be_visible()
    expect(page.get_by_text("请由提交人以外的运营人员复核").first).to_be_attached()
    address = page.url
    log_out(page)
    people.log_in(page, "operator2")
    page.goto(address)
    press(page, "批准", "批准")
    expect(page.get_by_text("已批准").first).to_be_visible()
    press(page, "启用", "启用")
    expect(page.get_by_text("已启用")).to_be_visible()
    page.get_by_text("试算：6 次往返").click()
    assert_sound(page)
    states = dict(personalization.profiles(SYSTEM.scope).values_list("version", "state"))
    assert states == {"1.0": "retired", "2.0": "in_force"}


def test_a_counter_gets_its_code_and_its_cards_are_seen(page: Page, people: Town) -> None:
    with transaction.atomic():
        keys.make_demo_keys()
        script = personalization.load_script(SYSTEM, script_text("field", last=CREATE).encode())
    counter = Counter(City(), an_agent(), in_force("bjt_student-1.0.toml"))
    [application] = people.submitted(people.students()[:1])
    with transaction.atomic():
        for _ in ("district", "city"):
            assert not cards.approve(SYSTEM, [application]).refused
        cards.to_counter(SYSTEM, [application])
        card = cards.issue_at_counter(SYSTEM, application)
    session = counter.open(card.pk)
    plastic = counter.blank()
    counter.lay_down(plastic, (8, "after"))
    assert counter.lay_down(plastic) == "verified"

    people.log_in(page, "operator")
    page.goto("/city/agents/")
    assert_sound(page)
    page.get_by_label("柜台所在").select_option("110101")
    page.get_by_role("button", name="发注册码").click()
    expect(page.get_by_text("xueka-agent --server")).to_be_visible()
    assert_sound(page)
    picture(page, "city-agent-code")
    page.goto("/city/agents/")
    page.get_by_role("link", name="一号柜台").click()
    expect(page.get_by_text("已写好并验证")).to_be_visible()
    assert_sound(page)
    picture(page, "city-agent")
    page.goto(f"/city/sessions/{session.pk}/")
    expect(page.get_by_text("education.adf.control")).to_be_visible()
    assert_sound(page)
    picture(page, "city-session", whole=False)
    page.goto("/city/sessions/")
    assert_sound(page)
    page.goto(f"/city/profiles/scripts/{script.pk}/")
    expect(page.get_by_text("随新卡写入").or_(page.get_by_text("在用卡升级"))).to_be_visible()
    assert_sound(page)
    page.goto(f"/city/agents/{counter.agent.pk}/")
    page.get_by_role("button", name="禁用").click()
    page.get_by_role("dialog").get_by_role("textbox").fill("电脑送修")
    page.get_by_role("dialog").get_by_role("button", name="禁用").click()
    expect(page.get_by_text("已禁用").first).to_be_visible()
    assert personalization.agent(SYSTEM.scope, counter.agent.pk).state == "blocked"
