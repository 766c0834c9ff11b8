"""Masters of a city and an issuer, and what is derived from them: under two people, counted in a leak."""

import json

import pytest
from django.db import IntegrityError, connection, transaction

from tests.unit.keys.conftest import FIRST, OPERATOR, SYSTEM, changed
from tests.unit.keys.test_ceremonies import KEK, LOCAL, MASTER, PLAN, WHOLE, fresh_stores, hold
from xueka.contexts.keys import api as keys
from xueka.contexts.keys.models import Key, KeyUse, KeyVersion
from xueka.kernel.errors import BadInput, Refused, XuekaError
from xueka.platform.crypto import card_ciphers

__all__ = ["fresh_stores"]
CITY, ISSUER, INTERNAL = "city_sm4.internal", "issuer_sm4.internal", "education_sm4.adf.internal"
BEIJING, DIRECTORY = bytes.fromhex("1100000100000000"), bytes.fromhex("000000000000df01")
CARD = bytes.fromhex("0000000001234567")
DEFINITION = {
    "title": "校园应用内部认证密钥", "kind": "internal", "algorithm": "sm4", "usages": ["diversify"],
    "application": "campus", "parent": "kek.card", "source": ISSUER, "factor": "df04",
}  # fmt: skip


def version(label: str, number: int) -> KeyVersion:
    return keys.version(FIRST.scope, label, number)


def names(found: list[KeyVersion]) -> list[str]:
    return [str(each) for each in found]


def test_the_demo_s_new_cards_stand_under_a_city(demo_keys: keys.Ceremony) -> None:
    found = version(INTERNAL, 1)
    assert (found.key.level, found.origin, str(found.derived_from)) == ("master", "derived", f"{ISSUER}/1")
    assert (found.key.source.label, found.key.factor) == (ISSUER, DIRECTORY.hex())
    assert str(version(ISSUER, 1).derived_from) == f"{CITY}/1"
    assert version("education.adf.internal", 1).derived_from is None  # cards in the field keep theirs
    used = KeyUse.objects.filter(usage="derive").values_list("version__key__label", "subject", "cards")
    assert (CITY, ISSUER, 0) in used
    assert len(used) == 4 + 6
    assert keys.verify(SYSTEM).findings == []
    with pytest.raises(Refused) as refusal:
        keys.card_keys(OPERATOR, [(CITY, None)], [CARD], purpose="x", subject="y")
    assert refusal.value.code == "KEY_USAGE"


def test_a_leak_above_is_counted_with_all_that_is_below(demo_keys: keys.Ceremony) -> None:
    assert names(keys.below(FIRST.scope, version(CITY, 1))) == [f"{INTERNAL}/1", f"{ISSUER}/1"]
    assert names(keys.below(FIRST.scope, version(INTERNAL, 1))) == []
    under = names(keys.below(FIRST.scope, version("kek.card", 1)))
    assert {f"{CITY}/1", f"{INTERNAL}/1", "education.adf.internal/1"} <= set(under)
    assert "transport.bureau/1" not in under
    everything = names(keys.below(FIRST.scope, version("local", 1)))
    assert set(under) < set(everything)
    assert "transport.bureau/1" in everything


def test_rotation_goes_down_one_level_at_a_time(demo_keys: keys.Ceremony) -> None:
    for kind in ("rotate", "generate"):
        with pytest.raises(Refused) as refusal:
            changed(kind, INTERNAL)
        assert refusal.value.code == "KEY_SOURCE_SAME"
    before = version(INTERNAL, 1).kcv
    for label in (CITY, ISSUER, INTERNAL):
        assert changed("rotate", label).result["version"] == 2
    now = version(INTERNAL, 2)
    assert (now.state, str(now.derived_from), now.kcv != before) == ("active", f"{ISSUER}/2", True)
    old, new = (
        keys.card_keys(OPERATOR, [(INTERNAL, number)], [CARD], purpose="x", subject="y")[0]
        for number in (1, 2)
    )
    assert old.kcv != new.kcv  # cards that have version 1 go on being answered
    assert names(keys.below(FIRST.scope, version(CITY, 1))) == [f"{INTERNAL}/1", f"{ISSUER}/1"]
    assert keys.verify(SYSTEM).findings == []


def test_another_application_of_the_same_issuer(demo_keys: keys.Ceremony) -> None:
    changed("register", "campus.adf.internal", **DEFINITION)
    with transaction.atomic():
        asked = keys.ask(FIRST, "generate", "campus.adf.internal", "新应用")
        keys.withdraw(FIRST, asked.number)
    assert changed("generate", "campus.adf.internal").result["version"] == 1
    for kind, params in (
        ("import", {"block": "x", "kcv": "abcdef", "under": "transport.bureau"}),
        ("components", {"kcv": "abcdef", "people": ["first", "second"]}),
    ):
        with pytest.raises(Refused) as refusal:
            keys.ask(FIRST, kind, "campus.adf.internal", "接管", params)
        assert refusal.value.code == "KEY_DERIVED"


#: What is changed in DEFINITION → how it is refused.
IMPOSSIBLE: list[tuple[dict[str, object], str]] = [
    ({"factor": ""}, "KEY_SOURCE"),
    ({"source": ""}, "KEY_SOURCE"),
    ({"factor": "xyz"}, "KEY_FACTOR"),
    ({"kind": "external"}, "KEY_SOURCE"),
    ({"algorithm": "3des"}, "KEY_SOURCE"),
    ({"source": "education_sm4.adf.external"}, "KEY_SOURCE"),
    ({"level": "city"}, "KEY_USAGE_UNKNOWN"),
    ({"level": "city", "usages": ["derive"]}, "KEY_SOURCE"),
    ({"level": "issuer", "usages": ["derive"]}, "KEY_SOURCE"),  # an issuer's comes from a city's
    ({"level": "kek"}, "KEY_LEVEL"),
    ({"usages": ["derive"]}, "KEY_USAGE_UNKNOWN"),
    ({"source": "nobody"}, "KEY_NOT_FOUND"),
    ({"factor": "df01"}, "KEY_FACTOR_TAKEN"),
]


def test_what_cannot_be_derived_is_not_registered(demo_keys: keys.Ceremony) -> None:
    found = []
    for changes, _ in IMPOSSIBLE:
        with pytest.raises(XuekaError) as refusal, transaction.atomic():
            keys.ask(FIRST, "register", "campus.adf.internal", "新应用", DEFINITION | changes)
        found.append((changes, refusal.value.code))
    assert found == IMPOSSIBLE


def test_the_database_keeps_where_a_key_comes_from(demo_keys: keys.Ceremony) -> None:
    for statement in (
        "UPDATE keys_key SET factor = '00000000000000ff' WHERE source_id IS NOT NULL",
        "UPDATE keys_key SET source_id = NULL, factor = '' WHERE source_id IS NOT NULL",
        "UPDATE keys_keyversion SET derived_from_id = NULL WHERE derived_from_id IS NOT NULL",
    ):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    with pytest.raises(IntegrityError), transaction.atomic():
        Key.objects.filter(label=CITY).update(source=Key.objects.get(label=ISSUER), factor="")


@pytest.mark.django_db
@pytest.mark.usefixtures("fresh_stores")
def test_a_ceremony_brings_the_city_s_and_derives_the_rest() -> None:
    """The custodians' city master gives the card keys that the calculator gives with all levels at once."""
    city = {**MASTER, "label": "city.control", "level": "city", "usages": ["derive"]}
    issuer = {
        "label": "issuer.control", "title": "发卡方", "kind": "control", "level": "issuer",
        "algorithm": "3des", "usages": ["derive"], "parent": "kek.card", "how": "derive",
        "source": "city.control", "factor": BEIJING.hex(),
    }  # fmt: skip
    below = {
        **issuer, "label": "education.adf.control", "level": "master", "usages": ["diversify"],
        "source": "issuer.control", "factor": "df01",
        "kcv": card_ciphers.kcv("3des", card_ciphers.diversify("3des", WHOLE, BEIJING, DIRECTORY)),
    }  # fmt: skip
    held = hold(keys.read_plan(json.dumps({**PLAN, "keys": [LOCAL, KEK, city, issuer, below]})))
    told = {line["label"]: line for line in held.transcript if line["step"] == "key"}
    assert (told["issuer.control"]["source"], told["issuer.control"]["factor"]) == (
        "city.control/1",
        BEIJING.hex(),
    )
    [card] = keys.card_keys(OPERATOR, [("education.adf.control", None)], [CARD], purpose="x", subject="y")
    assert card.plain_write_body(b"") == card_ciphers.diversify("3des", WHOLE, BEIJING, DIRECTORY, CARD)
    assert keys.verify(SYSTEM).findings == []
    KeyVersion.objects.filter(key__label="education.adf.control").update(
        block=KeyVersion.objects.get(key__label="city.control").block
    )
    assert [each.what for each in keys.verify(SYSTEM).findings] == ["education.adf.control/1"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"how": "generate"}, "how"),
        ({"source": ""}, "分散因子"),
        ({"level": "transport"}, "不能在这一层"),
        ({"level": 3}, "文字"),
    ],
)
def test_a_ceremony_s_file_is_judged(changes: dict[str, object], said: str) -> None:
    derived = {
        "label": "issuer.control", "title": "发卡方", "kind": "control", "level": "issuer",
        "algorithm": "3des", "usages": ["derive"], "parent": "kek.card", "how": "derive",
        "source": "city.control", "factor": "11",
    }  # fmt: skip
    with pytest.raises(BadInput) as refusal:
        keys.read_plan(json.dumps({**PLAN, "keys": [LOCAL, KEK, {**derived, **changes}]}))
    assert said in refusal.value.message
