"""`xueka partner …`: entered, listed, shown masked, given a secret and another, cut off."""

import pytest

from tests.support.commands import Run
from tests.unit.multiapp.conftest import Partners, partners  # noqa: F401 - the fixture
from xueka.contexts.multiapp import api as multiapp

CONTRACT = ("--contract", "HT-1", "--contract-from", "2026-01-01", "--contract-until", "2029-12-31")
WHO = ("--contact", "李工程", "--phone", "13800001234")


def test_a_unit_is_entered_listed_and_shown_without_its_people(xueka: Run, partners: Partners) -> None:  # noqa: F811
    school = partners.city.schools[0].code
    told = ("--name", "启明图书馆", "--purpose", "借书", "--school", school)
    code, made = xueka("partner", "add", *told, *CONTRACT, *WHO)
    assert (code, made["name"], made["state"]) == (0, "启明图书馆", "in_use")
    code, found = xueka("partner", "list", "--search", "启明")
    assert (code, [row["code"] for row in found["partners"]]) == (0, [made["code"]])
    assert len(xueka("partner", "list")[1]["partners"]) == 3
    code, shown = xueka("partner", "show", made["code"].lower())
    assert (code, shown["schools"]) == (0, [school])
    assert "李工程" not in str(shown)
    assert "13800001234" not in str(shown)
    code, twice = xueka("partner", "add", *told, *CONTRACT, *WHO)
    assert (code, twice["error"]["code"]) == (1, "UNIT_EXISTS")


def test_secrets_are_told_once_and_a_unit_is_cut_off(xueka: Run, partners: Partners) -> None:  # noqa: F811
    grant = partners.granted(partners.vendor.code)
    unit = partners.vendor.code
    code, first = xueka("partner", "open", unit, "--per-minute", "60")
    assert code == 0
    code, again = xueka("partner", "open", unit)
    assert (code, again["error"]["code"]) == (1, "CREDENTIAL_ACTIVE")
    code, second = xueka("partner", "rotate", first["key_id"], "--overlap", "7")
    assert code == 0
    assert first["secret"] != second["secret"]
    for each in (first, second):
        assert multiapp.authenticate(each["key_id"], each["secret"], "10.0.0.1")
    shown = xueka("partner", "show", unit)[1]
    states = {each["key_id"]: each["state"] for each in shown["credentials"]}
    assert states == {first["key_id"]: "ending", second["key_id"]: "active"}
    assert first["secret"] not in str(shown)
    code, done = xueka("partner", "block", unit, "--reason", "密码泄露")
    assert (code, done["grants"], len(done["credentials"])) == (0, [grant.number], 2)
    assert multiapp.authenticate(second["key_id"], second["secret"], "10.0.0.1") is None
    code, missing = xueka("partner", "block", "DW9999", "--reason", "x")
    assert (code, missing["error"]["code"]) == (1, "UNIT_NOT_FOUND")


@pytest.mark.parametrize(
    "words", [("add", "--name", "x"), ("rotate",), ("open", "DW0001", "--per-minute", "0")]
)
def test_wrong_usage_is_exit_code_two(xueka: Run, words: tuple[str, ...]) -> None:
    assert xueka("partner", *words)[0] == 2
