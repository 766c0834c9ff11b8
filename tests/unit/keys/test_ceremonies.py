"""Ceremonies: the file judged as a whole, people who mistype, shares that open, a record that is verified."""

import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pypdf
import pytest
from django.db import connection, transaction

from tests.support import factors
from tests.unit.keys.conftest import LEADER, NOW, SECOND, SYSTEM
from xueka.contexts.keys import api as keys
from xueka.contexts.keys.services import stores
from xueka.contexts.keys.services.demo import Players
from xueka.kernel import clock
from xueka.kernel.errors import Refused, XuekaError
from xueka.platform.audit.models import Entry
from xueka.platform.crypto import card_ciphers
from xueka.platform.database import address
from xueka.platform.database.address import Role
from xueka.platform.identity import accounts, second_factor
from xueka.platform.identity import services as identity

pytestmark = pytest.mark.django_db
PART = bytes.fromhex("0f1e2d3c4b5a69788796a5b4c3d2e1f0"), bytes.fromhex("00112233445566778899aabbccddeeff")
WHOLE = bytes(a ^ b for a, b in zip(*PART, strict=True))

LOCAL = {"label": "local", "title": "本地主密钥", "kind": "local", "algorithm": "sm4", "usages": ["wrap"]}
KEK = {**LOCAL, "label": "kek.card", "title": "保护密钥", "kind": "kek", "parent": "local"}
MASTER = {
    "label": "education.mf.control", "title": "卡主控密钥", "kind": "control", "algorithm": "3des",
    "usages": ["diversify"], "parent": "kek.card", "how": "components", "components": 2,
    "kcv": card_ciphers.kcv("3des", WHOLE),
}  # fmt: skip
PEOPLE = [{"username": name, "name": name.upper()} for name in ("anne", "bert", "carl")]
PLAN: dict[str, Any] = {
    "title": "试验", "threshold": 2, "led_by": "leader", "reviewed_by": "second", "custodians": PEOPLE,
    "keys": [LOCAL, KEK, MASTER],
}  # fmt: skip


def plan(**changes: object) -> keys.Plan:
    return keys.read_plan(json.dumps({**PLAN, **changes}))


class People(Players):
    """Who types what she is told to; `slips` are typed first."""

    def __init__(self, **slips: list[Any]) -> None:
        super().__init__()
        self.slips, self.heard, self.shares = slips, list[str](), dict[str, str]()

    def told(self, text: str) -> None:
        self.heard.append(text)

    def take(self, person: keys.Person, words: str) -> None:
        super().take(person, words)
        self.shares[person.username] = words

    def word(self, person: keys.Person, place: int) -> str:
        slips = self.slips.get(f"word_{person.username}")
        return slips.pop(0) if slips else super().word(person, place).upper()

    def component(self, person: keys.Person, label: str, size: int) -> tuple[str, str]:
        slips = self.slips.get(f"part_{person.username}")
        part = PART[0] if person.username == "anne" else PART[1]
        return slips.pop(0) if slips else (part.hex(" ", 4).upper(), card_ciphers.kcv("3des", part))

    def share(self, person: keys.Person) -> str:
        return self.slips["shares"].pop(0)


@transaction.atomic
def hold(given: keys.Plan, people: People | None = None) -> keys.Ceremony:
    return keys.hold_ceremony(LEADER, SECOND, given, people or People(), lambda person, code: True)


@pytest.fixture(autouse=True)
def quiet_clock(key_stores: Path) -> Iterator[None]:
    yield from _fresh(key_stores)


@pytest.fixture
def fresh_stores(key_stores: Path) -> Iterator[None]:
    """Empty stores, for a ceremony that begins one."""
    yield from _fresh(key_stores)


def _fresh(key_stores: Path) -> Iterator[None]:
    for name in ("cards", "cards-drill"):
        for file in (key_stores / name).glob("*"):
            file.unlink()
    with clock.at(NOW):
        yield
    for name in ("software", "drill"):
        if local := stores.sealed(name):
            local.lock()
    for name in ("cards", "cards-drill"):
        for file in (key_stores / name).glob("*"):
            file.unlink()


def test_keys_shares_and_a_record_come_out_of_it() -> None:
    people = People()
    held = hold(plan(foreign=[{**MASTER_FOREIGN}]), people)
    assert (held.led_by, held.reviewed_by, held.threshold) == ("leader", "second", 2)
    made = [line for line in held.transcript if line["step"] == "key"]
    assert [line["label"] for line in made] == ["local", "kek.card", "education.mf.control"]
    assert made[2]["kcv"] == MASTER["kcv"]
    assert {line["step"] for line in held.transcript} == {
        "plan", "present", "foreign", "key", "custody", "share",
    }  # fmt: skip
    entry = Entry.objects.get(action="key.ceremony")
    assert (entry.object_id, entry.detail["transcript"]) == (held.number, held.transcript_digest)
    assert keys.verify(SYSTEM).findings == []
    assert keys.active("education.mf.control").kcv == MASTER["kcv"]
    local = stores.sealed("software")
    assert local is not None and local.seal_kind == "custodians"
    local.lock()
    with pytest.raises(Refused) as refusal:
        keys.card_keys(SYSTEM, [("education.mf.control", None)], [bytes(8)], purpose="x", subject="y")
    assert refusal.value.code == "KEY_STORE_LOCKED"
    assert keys.verify(SYSTEM).locked == ["software"]
    words = list(people.shares.values())
    with pytest.raises(Refused):
        keys.open_store(SYSTEM, words[:1])
    keys.open_store(SYSTEM, [words[2], words[0]])
    [key] = keys.card_keys(SYSTEM, [("education.mf.control", None)], [bytes(8)], purpose="x", subject="y")
    assert key.encrypt(bytes(8)) == card_ciphers.encrypt(
        "3des", card_ciphers.diversify("3des", WHOLE, bytes(8)), bytes(8)
    )
    keys.close_store(SYSTEM)
    assert not stores.is_open("software")


MASTER_FOREIGN = {
    "label": "transit.load", "title": "圈存密钥", "kind": "internal", "algorithm": "3des",
    "usages": ["diversify"], "owner": "一卡通公司", "place": "其密码机",
}  # fmt: skip


def test_who_mistypes_is_asked_again() -> None:
    right = (PART[0].hex(), card_ciphers.kcv("3des", PART[0]))
    people = People(
        part_anne=[("zz", "000000"), (PART[0].hex(), "000000"), ("00", right[1]), right],
        word_bert=["wrong", "also wrong"],
    )
    hold(plan(), people)
    said = [text for text in people.heard if "还可以再试" in text]
    assert len(said) == 5
    assert keys.active("education.mf.control").kcv == MASTER["kcv"]


def test_components_that_make_another_key_are_all_asked_again() -> None:
    other = bytes(15) + b"\x01"
    people = People(part_bert=[(other.hex(), card_ciphers.kcv("3des", other))])
    hold(plan(), people)
    assert [text for text in people.heard if "校验值不符" in text]


def test_who_cannot_get_it_right_ends_it_and_nothing_is_left() -> None:
    with pytest.raises(Refused) as refusal:
        hold(plan(), People(part_anne=[("zz", "000000")] * 9))
    assert refusal.value.code == "CEREMONY_GIVEN_UP"
    assert not keys.keys(SYSTEM.scope).exists() and not keys.ceremonies(SYSTEM.scope).exists()
    assert not Entry.objects.filter(action="key.ceremony").exists()
    hold(plan())  # the leavings in the store are no hindrance
    assert keys.verify(SYSTEM).findings == []


def test_more_keys_in_a_store_that_is_sealed_need_its_custodians() -> None:
    people = People()
    hold(plan(), people)
    local = stores.sealed("software")
    assert local is not None
    local.lock()
    again = plan(keys=[{**MASTER, "label": "education.adf.control", "how": "generate"}])
    with pytest.raises(XuekaError):
        hold(again, People(shares=["not words", "of any share"]))
    hold(again, People(shares=[people.shares["carl"], people.shares["anne"]]))
    assert keys.verify(SYSTEM).findings == []


def test_custodians_change_and_the_old_shares_open_nothing_more() -> None:
    people, later = People(), People()
    hold(plan(), people)
    others = [{"username": name, "name": name} for name in ("dora", "emil")]
    hold(plan(keys=[], reseal=True, custodians=others), later)
    keys.close_store(SYSTEM)
    with pytest.raises(Refused):
        keys.open_store(SYSTEM, list(people.shares.values())[:2])
    keys.open_store(SYSTEM, list(later.shares.values()))
    assert keys.verify(SYSTEM).findings == []


def test_a_drill_has_its_own_store_and_never_meets_live_keys() -> None:
    hold(plan())
    drilled = [
        {**each, **{name: f"drill.{each[name]}" for name in ("label", "parent") if name in each}}
        for each in (LOCAL, KEK, MASTER)
    ]
    held = hold(plan(drill=True, keys=drilled))
    assert held.drill
    live, test = keys.active("education.mf.control"), keys.active("drill.education.mf.control")
    assert live.kcv == test.kcv  # the same components, so the same key, in another store
    assert {each.store for each in keys.KeyVersion.objects.filter(drill=True)} == {"drill"}
    stores.sealed("drill").lock()  # type: ignore[union-attr]
    assert keys.verify(SYSTEM).locked == ["drill"]
    mixed = [{**drilled[2], "parent": "kek.card"}]
    with pytest.raises(XuekaError):
        hold(plan(drill=True, keys=mixed))


def refused(given: Callable[[], object]) -> XuekaError:
    with pytest.raises(XuekaError) as refusal:
        given()
    return refusal.value


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"title": " "}, "title"),
        ({"threshold": 1}, "threshold"),
        ({"threshold": 4}, "threshold"),
        ({"custodians": [*PEOPLE, PEOPLE[0]]}, "custodians"),
        ({"custodians": "anne"}, "custodians"),
        ({"reviewed_by": "leader"}, "reviewed_by"),
        ({"led_by": "anne"}, "led_by"),
        ({"extra": 1}, "文件"),
        ({"keys": []}, "keys"),
        ({"drill": "yes"}, "drill"),
        ({"keys": [{**LOCAL, "kind": "none"}]}, "keys 第 1 项"),
        ({"keys": [LOCAL, LOCAL]}, "keys 第 2 项"),
        ({"keys": [{**LOCAL, "parent": "local"}]}, "keys 第 1 项"),
        ({"keys": [{**MASTER, "kcv": "x"}]}, "keys 第 1 项"),
        ({"keys": [{**MASTER, "components": 4}]}, "keys 第 1 项"),
        ({"keys": [{**MASTER, "how": "block"}]}, "keys 第 1 项"),
        ({"keys": [{**MASTER, "how": "magic"}]}, "keys 第 1 项"),
        ({"keys": [{**MASTER, "usage": []}]}, "keys 第 1 项"),
        ({"keys": [LOCAL, "x"]}, "keys 第 2 项"),
        ({"keys": [{**LOCAL, "usages": "wrap"}]}, "keys 第 1 项"),
        ({"foreign": [{**MASTER_FOREIGN, "owner": ""}]}, "foreign 第 1 项"),
        ({"foreign": [{**MASTER_FOREIGN, "label": "drill.x"}]}, "foreign 第 1 项"),
    ],
)
def test_every_defect_of_the_file_is_named(change: dict[str, object], where: str) -> None:
    refusal = refused(lambda: plan(**change))
    assert refusal.code == "CEREMONY_FILE"
    assert where in [each["where"] for each in refusal.detail["problems"]]


@pytest.mark.parametrize("text", ["", "{", "title = ", "[1]", '{"a": [[[', "title = 'x'"])
def test_what_is_no_plan_is_refused(text: str) -> None:
    assert refused(lambda: keys.read_plan(text)).code == "CEREMONY_FILE"


@pytest.mark.parametrize("text", ["a = [\n{ x = 1,\n}]", '{"a":\n1 2}'])
def test_the_place_where_a_file_is_broken_is_told_in_chinese(text: str) -> None:
    refusal = refused(lambda: keys.read_plan(text)).as_dict()
    assert refusal["where"].startswith("第 2 行第 ") and "found" not in refusal


def test_the_file_of_the_runbook_is_a_plan() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/runbooks/key-ceremony.md").read_text("utf-8")
    found = keys.read_plan(page.split("```toml\n")[1].split("```")[0])
    assert (len(found.custodians), len(found.keys), len(found.foreign)) == (3, 3, 1)


def test_a_toml_file_reads_like_a_json_one() -> None:
    lines = [
        'title = "x"', "reseal = true",
        "threshold = 2", 'led_by = "a"', 'reviewed_by = "b"', "custodians = [",
        '  {username = "c", name = "C"}, {username = "d", name = "D"},', "]",
    ]  # fmt: skip
    assert keys.read_plan("\n".join(lines)).reseal


def test_a_plan_that_does_not_fit_what_stands_is_refused_before_anybody_sits_down() -> None:
    assert refused(lambda: keys.check_plan(plan(keys=[MASTER]))).code == "CEREMONY_PLAN"
    assert refused(lambda: keys.check_plan(plan(keys=[LOCAL, {**KEK, "parent": ""}]))).code == "CEREMONY_PLAN"
    hold(plan())
    people = People()
    refusal = refused(lambda: hold(plan(), people))
    assert (refusal.code, people.heard, len(refusal.detail["problems"])) == ("CEREMONY_PLAN", [], 3)
    hold(plan(keys=[{**MASTER, "activate": False}]))
    known = keys.key(SYSTEM.scope, "education.mf.control").versions.all()
    assert [each.state for each in known] == ["pre_active", "active"]
    other = {**MASTER, "algorithm": "sm4", "activate": False}
    refusal = refused(lambda: keys.check_plan(plan(keys=[other])))
    assert "另一种" in refusal.message


def test_people_prove_who_they_are_by_their_codes() -> None:
    for name, role in (("leader", "key_admin"), ("second", "key_custodian"), ("anne", "key_custodian"),
                       ("bert", "key_custodian")):  # fmt: skip
        identity.create_user(SYSTEM, name, name, role)
    refusal = refused(lambda: keys.people_of(plan()))
    assert (refusal.code, refusal.where) == ("CEREMONY_PERSON", "carl")
    leader, reviewer = keys.people_of(plan(custodians=PEOPLE[:2]))
    assert (leader.role, reviewer.role) == ("key_admin", "key_custodian")
    second_factor.enrol_at_once(SYSTEM, "anne")
    assert not keys.by_code(keys.Person("anne", "Anne"), "000000")
    assert keys.by_code(keys.Person("anne", "Anne"), factors.fresh_code("anne"))
    assert not keys.by_code(keys.Person("bert", "Bert"), "000000")
    assert accounts.find("anne")


def test_one_person_is_not_two() -> None:
    with pytest.raises(Refused) as refusal:
        keys.hold_ceremony(SYSTEM, SYSTEM, plan(), People(), lambda person, code: True)
    assert refusal.value.code == "PERSON_NEEDED"
    both = replace(SECOND, permissions=SECOND.permissions | LEADER.permissions)
    with pytest.raises(Refused) as refusal:
        keys.hold_ceremony(both, both, plan(), People(), lambda person, code: True)
    assert refusal.value.code == "SAME_PERSON"
    with pytest.raises(Refused) as refusal:
        keys.hold_ceremony(LEADER, SECOND, plan(), People(), lambda person, code: person.username != "bert")
    assert refusal.value.code == "CEREMONY_GIVEN_UP"


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("transcript = jsonb_set(transcript, '{0,text}', '\"x\"')", "记录被改动"),
        ("plan = plan || ' '", "仪式文件被改动"),
        ("transcript_digest = repeat('0', 64)", "审计日志"),
    ],
)
@pytest.mark.django_db(transaction=True)
def test_verify_finds_what_was_altered(sql: str, said: str) -> None:
    """By the database's owner, past the guards."""
    held = hold(plan())
    with psycopg.connect(**address.parameters(Role.OWNER, connection.settings_dict["NAME"])) as owner:
        owner.execute("ALTER TABLE keys_ceremony DISABLE TRIGGER keys_no_change")
        owner.execute(f"UPDATE keys_ceremony SET {sql}")
        owner.execute("ALTER TABLE keys_ceremony ENABLE TRIGGER keys_no_change")
    found = [each.message for each in keys.verify(SYSTEM).findings if each.what == held.number]
    assert any(said in message for message in found), found


def test_verify_finds_a_block_that_does_not_open() -> None:
    hold(plan())
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE keys_keyversion SET block = set_byte(block, length(block) - 1,"
            " CASE get_byte(block, length(block) - 1) WHEN 65 THEN 66 ELSE 65 END) WHERE block IS NOT NULL"
        )
    assert {each.what for each in keys.verify(SYSTEM).findings} == {"kek.card/1", "education.mf.control/1"}


def test_the_sheet_of_a_share_is_one_page_and_names_no_key() -> None:
    words = " ".join(f"word{number}" for number in range(33))
    reader = pypdf.PdfReader(io.BytesIO(keys.share_sheet("试验", "安妮", words, 2, ["安妮", "伯特"])))
    text = reader.pages[0].extract_text()
    assert len(reader.pages) == 1
    assert re.findall(r"word\d+", text) == words.split()
