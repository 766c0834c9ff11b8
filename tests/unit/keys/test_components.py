"""A key in components: each on her own log-in, nobody sees another's, nothing of them is left behind."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from tests.unit.keys.conftest import FIRST, LEADER, OPERATOR, SECOND, SYSTEM, person
from xueka.contexts.keys import api as keys
from xueka.contexts.keys.models import KeyPart
from xueka.contexts.keys.services import components, keeping
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused, XuekaError
from xueka.platform.audit.models import Entry
from xueka.platform.crypto import card_ciphers
from xueka.platform.identity import services

LABEL = "education.mf.maintain"
PARTS = [bytes(range(16)), bytes(range(100, 116)), bytes(range(200, 216))]
WHOLE = bytes(a ^ b ^ c for a, b, c in zip(*PARTS, strict=True))
THIRD = person("third")
KCV = card_ciphers.kcv("3des", WHOLE)


@pytest.fixture(autouse=True)
def people(demo_keys: keys.Ceremony) -> Iterator[None]:
    for name in ("first", "second", "third"):
        services.create_user(SYSTEM, name, name, "key_custodian")
    yield
    components._memory().remove()


def asked(kcv: str = KCV, people: Any = ("first", "second", "third"), label: str = LABEL) -> keys.KeyChange:
    return keys.ask(LEADER, "components", label, "接管", {"kcv": kcv, "people": list(people)})


def enter(number: str) -> None:
    for who, part in zip((FIRST, SECOND, THIRD), PARTS, strict=True):
        keys.enter_part(who, number, part.hex(" ", 4), card_ciphers.kcv("3des", part).upper())


def code(refusal: pytest.ExceptionInfo[XuekaError]) -> str:
    return refusal.value.code


def test_made_of_what_three_people_bring() -> None:
    change = asked()
    assert [each.number for each in keys.parts_of(SECOND.scope, "second")] == [change.number]
    with pytest.raises(Refused) as refusal, transaction.atomic():
        keys.confirm(FIRST, change.number)
    assert (code(refusal), refusal.value.found) == ("KEY_PARTS_MISSING", "first、second、third")
    keys.enter_part(FIRST, change.number, PARTS[0].hex(), card_ciphers.kcv("3des", PARTS[0]))
    assert keys.parts_kcv(change) == ""
    assert [(part.person, there) for part, there in keys.parts(FIRST.scope, change)] == [
        ("first", True), ("second", False), ("third", False),
    ]  # fmt: skip
    enter(change.number)  # the first one enters hers again
    assert keys.parts_of(SECOND.scope, "second") == []
    assert keys.parts_kcv(change) == KCV
    kept = [bytes(part.sealed or b"") for part in KeyPart.objects.all()]
    assert not any(secret in row for row in kept for secret in [*PARTS, WHOLE])
    done = keys.confirm(SECOND, change.number)
    assert (done.state, done.result) == ("done", {"version": 2, "kcv": KCV})
    made = keys.version(SYSTEM.scope, LABEL, 2)
    assert (made.state, made.origin, made.asked_by, made.confirmed_by) == (
        "pre_active", "components", "leader", "second",
    )  # fmt: skip
    assert keeping.kcv(made) == KCV
    assert [part.sealed for part in KeyPart.objects.all()] == [None] * 3
    assert {part.kcv for part in KeyPart.objects.all()} == {card_ciphers.kcv("3des", each) for each in PARTS}
    assert components._memory().read() == []


def test_no_component_is_written_down() -> None:
    change = asked()
    enter(change.number)
    keys.confirm(SECOND, change.number)
    entries = list(Entry.objects.filter(object_id=LABEL).values_list("action", "detail"))
    assert [action for action, _ in entries].count("key.part") == 3
    told = str(entries) + str(list(keys.KeyChange.objects.values()))
    assert not any(part.hex() in told.lower() for part in PARTS)


@pytest.mark.parametrize(
    ("text", "check", "expected"),
    [
        ("00" * 15, "abcdef", "COMPONENT_FORM"),
        ("xyz", "abcdef", "COMPONENT_FORM"),
        ("", "abcdef", "COMPONENT_FORM"),
        (PARTS[0].hex(), "abcdef", "COMPONENT_KCV"),
        (PARTS[0].hex(), "abc", "KCV_FORMAT"),
    ],
)
def test_a_mistype_is_refused_and_not_repeated(text: str, check: str, expected: str) -> None:
    change = asked()
    with pytest.raises(XuekaError) as refusal:
        keys.enter_part(FIRST, change.number, text, check)
    assert code(refusal) == expected
    assert not text or text not in str(refusal.value.as_dict())
    assert KeyPart.objects.exclude(sealed=None).count() == 0


def test_only_who_was_named_and_only_her_own() -> None:
    change = asked(people=("first", "second"))
    for who in (THIRD, person("stranger")):
        with pytest.raises(NotFound) as refusal:
            keys.enter_part(who, change.number, "00" * 16, "abcdef")
        assert code(refusal) == "KEY_PART_NOT_FOUND"
    for other in (LEADER, OPERATOR):
        with pytest.raises(Forbidden):
            keys.enter_part(other, change.number, "00" * 16, "abcdef")
    assert keys.parts(person("x", "key_admin").scope, change)
    with pytest.raises(NotFound):
        keys.enter_part(FIRST, "MY00-0000", "00" * 16, "abcdef")


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (("first",), "KEY_PART_PEOPLE"),
        (("first", "first"), "KEY_PART_PEOPLE"),
        (("first", ""), "KEY_PART_PEOPLE"),
        (tuple(f"p{number}" for number in range(9)), "KEY_PART_PEOPLE"),
        (("first", "nobody"), "KEY_PART_PERSON"),
    ],
)
def test_who_may_bring_one(named: tuple[str, ...], expected: str) -> None:
    with pytest.raises(XuekaError) as refusal:
        asked(people=named)
    assert code(refusal) == expected


def test_not_a_local_master_key_and_not_without_a_check_value() -> None:
    with pytest.raises(Refused) as refusal:
        asked(label="local")
    assert code(refusal) == "KEY_PART_LEVEL"
    with pytest.raises(BadInput) as bad:
        asked(kcv="xyz")
    assert code(bad) == "KCV_FORMAT"
    services.create_user(SYSTEM, "boss", "boss", "key_admin")
    with pytest.raises(Refused) as refusal:
        asked(people=("first", "boss"))
    assert code(refusal) == "KEY_PART_PERSON"


def test_a_wrong_whole_makes_nothing_and_may_be_corrected() -> None:
    change = asked(kcv="abcdef")
    enter(change.number)
    with pytest.raises(XuekaError) as refusal, transaction.atomic():
        keys.confirm(SECOND, change.number)
    assert (code(refusal), refusal.value.found) == ("KCV_DIFFERS", KCV)
    assert KeyPart.objects.exclude(sealed=None).count() == 3
    assert len(keys.key(SYSTEM.scope, LABEL).versions.all()) == 1


def test_two_equal_components_are_no_key() -> None:
    change = asked(people=("first", "second"))
    for who in (FIRST, SECOND):
        keys.enter_part(who, change.number, PARTS[0].hex(), card_ciphers.kcv("3des", PARTS[0]))
    with pytest.raises(BadInput) as refusal, transaction.atomic():
        keys.confirm(SECOND, change.number)
    assert code(refusal) == "KEY_COMPONENTS"


def test_taken_back_and_forgotten_with_the_memory() -> None:
    change = asked()
    enter(change.number)
    keys.take_part_back(FIRST, change.number)
    assert components.missing(change) == ["first"]
    components._memory().remove()  # the machine was started anew
    assert components.missing(change) == ["first", "second", "third"]
    enter(change.number)
    assert components.missing(change) == []
    keys.withdraw(LEADER, change.number)
    assert KeyPart.objects.exclude(sealed=None).count() == 0
    assert components._memory().read() == []
    with pytest.raises(NotFound):
        keys.enter_part(FIRST, change.number, PARTS[0].hex(), card_ciphers.kcv("3des", PARTS[0]))


def test_refused_leaves_nothing_and_another_change_keeps_its_own() -> None:
    change, other = asked(), asked(label="education.mf.control")
    enter(change.number)
    enter(other.number)
    keys.refuse(SECOND, change.number, "不是这一把")
    assert change.parts.exclude(sealed=None).count() == 0
    assert components.missing(other) == []


def test_the_database_lets_no_component_stay() -> None:
    change = asked()
    enter(change.number)
    with (
        pytest.raises(IntegrityError, match="keeps no component"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE keys_keychange SET state = 'withdrawn' WHERE id = %s", [change.pk])
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
