"""The keys of a batch for a bureau: what it can open, what it can compare, and that nothing wrong leaves."""

import base64

import pytest

from tests.unit.keys.conftest import FIRST, OPERATOR, SYSTEM
from xueka.contexts.keys import api as keys
from xueka.contexts.keys.adapters import key_blocks
from xueka.contexts.keys.adapters.software_store import SoftwareStore
from xueka.contexts.keys.services import batches, finding, keeping, stores
from xueka.kernel.errors import BadInput, Forbidden, Refused
from xueka.platform.crypto import card_ciphers
from xueka.platform.crypto.sm2 import PrivateKey

pytestmark = pytest.mark.usefixtures("demo_keys")

INTERNAL, SM4_INTERNAL, BUREAU = "education.adf.internal", "education_sm4.adf.internal", "transport.bureau"
COUNT = 70
FACTORS = b"".join(keys.factor_from_digits(f"{260000000000 + number}") for number in range(COUNT))
CITY = bytes.fromhex("1100000020260901")
WANTED = [keys.Wanted(INTERNAL, FACTORS), keys.Wanted(SM4_INTERNAL, FACTORS, [CITY])]


def made(under: object, wanted: list[keys.Wanted] | None = None) -> keys.BureauKeys:
    return keys.bureau_keys(OPERATOR, wanted or WANTED, under, purpose="batch", subject="B26-0001")  # type: ignore[arg-type]


def opened(found: keys.BureauKeys, value: bytes) -> list[bytes]:
    return [card_ciphers.decrypt("sm4", value, master.cryptograms) for master in found.masters]


def test_the_bureau_s_own_key_opens_them() -> None:
    pair = PrivateKey.generate()
    found = made(pair.public)
    assert found.transport is not None and found.transport.form == "SM2"
    value = pair.decrypt(base64.b64decode(found.transport.text))
    assert card_ciphers.kcv("sm4", value) == found.transport.kcv
    for master, plain, (label, above) in zip(
        found.masters, opened(found, value), ((INTERNAL, []), (SM4_INTERNAL, [CITY])), strict=True
    ):
        assert (master.view.label, master.view.version) == (label, 1)
        for place in (0, 33, COUNT - 1):
            factors = [*above, FACTORS[8 * place : 8 * place + 8]]
            [card] = keys.card_keys(OPERATOR, [(label, None)], factors, purpose="x", subject="C1")
            assert plain[16 * place : 16 * place + 16] == card.plain_write_body(b"")
            assert master.kcvs[3 * place : 3 * place + 3].hex() == card.kcv
        assert master.control == keys.control_sum(master.kcvs)


def test_a_transport_key_that_both_hold_opens_them() -> None:
    found = made(BUREAU)
    transport = found.transport
    assert transport is not None and transport.under is not None
    assert (transport.form, transport.under.label) == ("block", BUREAU)
    partner = finding.usable(BUREAU, None)
    store = stores.named(partner.store)
    assert isinstance(store, SoftwareStore)
    spec, value = key_blocks.unseal(transport.text.encode(), store._open(keeping.stored(partner))[1], "sm4")
    assert (spec.label, spec.usage) == ("batch.B26-0001", "batch")
    assert card_ciphers.kcv("sm4", value) == transport.kcv
    assert opened(found, value) != opened(made(BUREAU), value)  # the next batch has another one


def test_no_key_leaves_where_the_bureau_has_the_masters() -> None:
    found = made(None, [*WANTED, keys.Wanted(INTERNAL, b"")])
    assert found.transport is None
    assert [master.cryptograms for master in found.masters] == [b"", b"", b""]
    assert [len(master.kcvs) for master in found.masters] == [3 * COUNT, 3 * COUNT, 0]
    assert found.masters[0].control == made(BUREAU).masters[0].control


def test_every_use_is_on_record_and_who_may_not_gets_nothing() -> None:
    made(BUREAU)
    rows = keys.uses(SYSTEM.scope).filter(subject="B26-0001")
    assert {(row.version.key.label, row.usage, row.cards) for row in rows} == {
        (INTERNAL, "diversify", COUNT),
        (SM4_INTERNAL, "diversify", COUNT),
        (BUREAU, "wrap", COUNT),
    }
    with pytest.raises(Forbidden):
        keys.bureau_keys(FIRST, WANTED, BUREAU, purpose="batch", subject="B26-0001")
    with pytest.raises(Refused) as refusal:
        made(INTERNAL)
    assert refusal.value.code == "KEY_USAGE"
    with pytest.raises(Refused) as refusal:
        made(BUREAU, [keys.Wanted("transit.load", FACTORS)])
    assert refusal.value.code == "KEY_FOREIGN"


def test_a_wrong_check_value_or_cryptogram_stops_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    right = SoftwareStore.diversify_wrapped

    def spoiled(change: object) -> object:
        def wrong(self: SoftwareStore, *given: object) -> tuple[bytes, bytes]:
            return change(*right(self, *given))  # type: ignore[operator, arg-type]

        return wrong

    for change in (
        lambda cryptograms, kcvs: (cryptograms, bytes(3) + kcvs[3:]),
        lambda cryptograms, kcvs: (cryptograms, kcvs[:-3] + bytes(3)),
        lambda cryptograms, kcvs: (cryptograms, kcvs[:-3]),
        lambda cryptograms, kcvs: (cryptograms[:160] + bytes(16) + cryptograms[176:], kcvs),
        lambda cryptograms, kcvs: (cryptograms[16:] + cryptograms[:16], kcvs),
    ):
        monkeypatch.setattr(SoftwareStore, "diversify_wrapped", spoiled(change))
        with pytest.raises(Refused) as refusal:
            made(BUREAU)
        assert refusal.value.code == "KEY_BATCH_CHECK"
    monkeypatch.setattr(SoftwareStore, "diversify_wrapped", right)
    monkeypatch.setattr(batches.card_batches, "kcvs", lambda alg, cards: bytes(3 * (len(cards) // 16)))
    with pytest.raises(Refused):
        made(None)


def test_a_factor_is_made_of_the_last_sixteen_digits() -> None:
    assert keys.factor_from_digits("260000000010").hex() == "0000260000000010"
    assert keys.factor_from_digits("12341000750012345671").hex() == "1000750012345671"
    assert keys.factor_from_digits("04A1B2C3D4E5F6").hex() == "0004a1b2c3d4e5f6"
    for wrong in ("", "BJT00000000001", "12 34", "１２"):
        with pytest.raises(BadInput):
            keys.factor_from_digits(wrong)
