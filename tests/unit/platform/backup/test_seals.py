"""Who holds the secret reads the key; k - 1 custodians, or a wrong passphrase, read nothing."""

import random
import secrets

import pytest

from xueka.kernel.errors import BadInput, Refused
from xueka.platform.backup import seals
from xueka.platform.crypto import sealing

SEED = 20261125


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "COST", 2**10)


def test_a_passphrase_opens_what_it_sealed() -> None:
    key = secrets.token_bytes(16)
    seal = seals.by_passphrase("correct horse battery")(key)
    assert seals.with_passphrase("correct horse battery")(seal) == key
    assert key.hex() not in str(seal)
    for wrong in ("correct horse batterz", "", "correct horse battery "):
        with pytest.raises(Refused) as refused:
            seals.with_passphrase(wrong)(seal)
        assert refused.value.code == "BACKUP_SECRET"


def test_a_seal_that_was_changed_opens_nothing() -> None:
    seal = seals.by_passphrase("correct horse battery")(secrets.token_bytes(16))
    for name, value in (
        ("salt", "00" * 16),
        ("cost", 2**11),
        ("cost", 2**60),
        ("key", "00" * 44),
        ("key", 5),
    ):
        with pytest.raises(Refused):
            seals.with_passphrase("correct horse battery")({**seal, name: value})


def test_a_short_passphrase_is_refused() -> None:
    with pytest.raises(BadInput, match="太短"):
        seals.by_passphrase("short")


@pytest.mark.parametrize(("needed", "people"), [(k, n) for n in range(2, 8) for k in range(2, n + 1)])
def test_k_of_n_open_and_fewer_do_not(needed: int, people: int) -> None:
    chance = random.Random(SEED + needed * 10 + people)
    custody, shares = seals.make_custody(needed, [f"保管人{number}" for number in range(people)])
    assert len(set(shares)) == people
    key = secrets.token_bytes(16)
    seal = seals.by_custody(custody)(key)
    chosen = chance.sample(shares, needed)
    assert seals.with_shares(chosen)(seal) == key
    with pytest.raises(Refused, match=f"需要 {needed} 位"):
        seals.with_shares([*chosen[: needed - 1], chosen[0]])(seal)
    with pytest.raises(Refused):  # one lies about the number that is needed
        seals.with_shares(chosen[: needed - 1])({**seal, "threshold": needed - 1})


def test_shares_of_another_cut_do_not_open() -> None:
    names = ["甲", "乙", "丙"]
    custody, shares = seals.make_custody(2, names)
    _, foreign = seals.make_custody(2, names)
    seal = seals.by_custody(custody)(secrets.token_bytes(16))
    for wrong in ([shares[0], foreign[1]], foreign[:2], [shares[0], shares[1][:-3]], [shares[0], "你好"]):
        with pytest.raises(Refused, match="份额"):
            seals.with_shares(wrong)(seal)


@pytest.mark.parametrize(
    ("needed", "names"), [(1, ["甲", "乙"]), (3, ["甲", "乙"]), (2, ["甲", "甲"]), (2, ["甲"])]
)
def test_numbers_that_make_no_custody(needed: int, names: list[str]) -> None:

    with pytest.raises(BadInput, match="人数"):
        seals.make_custody(needed, names)


def test_each_kind_asks_for_its_own_secret() -> None:
    custody, shares = seals.make_custody(2, ["甲", "乙"])
    with pytest.raises(Refused, match="保管人封存"):
        seals.with_passphrase("correct horse battery")(seals.by_custody(custody)(bytes(16)))
    with pytest.raises(Refused, match="口令封存"):
        seals.with_shares(shares)(seals.by_passphrase("correct horse battery")(bytes(16)))
