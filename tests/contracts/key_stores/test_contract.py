"""What key management relies on, asked of every store."""

import copy
import os
import pickle
import random
import threading
from dataclasses import replace

import pytest

from tests.contracts.key_stores.conftest import Shelf
from xueka.contexts.keys.adapters import key_blocks
from xueka.contexts.keys.domain.key_block import parse
from xueka.contexts.keys.ports import KeySpec
from xueka.kernel.errors import BadInput, Refused, XuekaError
from xueka.platform.crypto import card_ciphers

MASTER = bytes.fromhex("0123456789abcdef23456789abcdef01")
FACTORS = [bytes.fromhex(text) for text in ("1000000020260901", "1101050012345678", "0000000001234567")]
# By the openssl command (tests/unit/platform/crypto/test_card_ciphers.py); bytes as they go onto a card.
LAST = {"3des": "b2f13d452ecc3a24231da2a1444e8c10", "sm4": "f6923d945e821d3f958dc1b9f7e43816"}
KCVS = {"3des": "86e965", "sm4": "0ff4f5"}


def algorithms(shelf: Shelf) -> list[str]:
    return [name for name in ("3des", "sm4") if name in shelf.store.algorithms]


def transport_value(shelf: Shelf) -> bytes:
    return MASTER * (2 if shelf.store.wrapping == "aes" else 1)


def refusal(code: str, act, *given) -> XuekaError:  # type: ignore[no-untyped-def]
    with pytest.raises(XuekaError) as refused:
        act(*given)
    assert refused.value.code == code
    return refused.value


def test_a_key_from_components_is_the_one_the_custodians_mean(shelf):
    for name in algorithms(shelf):
        key = shelf.take("internal", MASTER, name)
        assert key.kcv == KCVS[name] == shelf.store.kcv(key)
        assert bool(key.handle) != bool(key.block)


def test_a_card_s_key_is_the_rule_s_to_the_last_byte(shelf):
    """Also where a module forces DES parity: the bytes that go onto the card are those of the rule."""
    for name in algorithms(shelf):
        key = shelf.take("internal", MASTER, name)
        for depth in (1, 2, 3):
            card = shelf.store.diversify(key, FACTORS[:depth])
            expected = card_ciphers.diversify(name, MASTER, *FACTORS[:depth])
            assert card.plain_write_body(b"") == expected
            assert card.kcv == card_ciphers.kcv(name, expected)
        assert expected.hex() == LAST[name]
        assert (card.label, card.version, card.algorithm) == ("test.internal", 1, name)


def test_a_master_derived_level_by_level_makes_the_same_cards(shelf):
    """City, issuer and application one after the other, or all levels at once: the card's key is the same."""
    for name in algorithms(shelf):
        city = shelf.take("city.external", MASTER, name)
        issuer_spec = KeySpec("test.issuer", 1, name, "issuer.external", False)
        issuer = shelf.store.derive(city, FACTORS[0], issuer_spec, shelf.root)
        spec = KeySpec("test.external", 3, name, "external", True)
        master = shelf.store.derive(issuer, FACTORS[1], spec, shelf.root)
        card = shelf.store.diversify(master, FACTORS[2:])
        assert card.plain_write_body(b"").hex() == LAST[name]
        assert (card.label, card.version) == ("test.external", 3)
        derived = card_ciphers.diversify(name, MASTER, *FACTORS[:2])
        assert master.kcv == shelf.store.kcv(master) == card_ciphers.kcv(name, derived)
        assert shelf.store.derive(city, FACTORS[1], issuer_spec, shelf.root).kcv != issuer.kcv
        swapped = shelf.store.derive(
            shelf.store.derive(city, FACTORS[1], issuer_spec, shelf.root), FACTORS[0], spec, shelf.root
        )
        assert swapped.kcv != master.kcv


def test_a_master_above_opens_no_card_and_begets_its_own_kind_alone(shelf):
    city, master = shelf.make("city.internal"), shelf.make("internal")
    refusal("KEY_KIND", shelf.store.diversify, city, FACTORS[:1])
    refusal("KEY_KIND", shelf.store.diversify_many, city, FACTORS[0])
    for source, usage in (
        (master, "internal"),
        (city, "external"),
        (city, "city.internal"),
        (city, "blank"),
        (shelf.make("issuer.internal"), "issuer.internal"),
    ):
        spec = KeySpec("test.below", 1, "3des", usage, False)
        refusal("KEY_KIND", shelf.store.derive, source, FACTORS[0], spec, shelf.root)
    spec = KeySpec("test.below", 1, "3des", "internal", False)
    refusal("CARD_FACTOR_LENGTH", shelf.store.derive, city, bytes(7), spec, shelf.root)


def test_a_new_key_is_new(shelf):
    for name in algorithms(shelf):
        first, second = shelf.make("control", name), shelf.make("control", name, version=2)
        assert first.kcv != second.kcv
        assert shelf.store.diversify(second, FACTORS[:1]).version == 2
        assert shelf.store.kcv(first) == first.kcv


def test_a_blank_s_transport_key_comes_out_as_it_is_and_no_other_does(shelf):
    for name in algorithms(shelf):
        blank = shelf.take("blank", MASTER, name)
        card = shelf.store.card_key(blank)
        assert card.plain_write_body(b"") == MASTER
        refusal("KEY_KIND", shelf.store.diversify, blank, FACTORS[:1])
        refusal("KEY_KIND", shelf.store.card_key, shelf.make("control", name))


def test_no_master_key_without_a_level(shelf):
    key = shelf.make("external")
    refusal("CARD_FACTOR_LENGTH", shelf.store.diversify, key, [])
    refusal("CARD_FACTOR_LENGTH", shelf.store.diversify, key, [bytes(7)])


def test_a_batch_is_what_its_cards_are_one_by_one(shelf):
    chance = random.Random(7)
    factors = chance.randbytes(8 * 50)
    for name in algorithms(shelf):
        key = shelf.make("maintain", name)
        for above in ((), FACTORS[:1], FACTORS[:2]):
            many = shelf.store.diversify_many(key, factors, above)
            assert len(many) == 16 * 50
            for place in range(50):
                single = shelf.store.diversify(key, [*above, factors[8 * place : 8 * place + 8]])
                assert single.plain_write_body(b"") == many[16 * place : 16 * place + 16]
    assert shelf.store.diversify_many(shelf.make("maintain"), b"") == b""


def test_a_batch_under_a_transport_key_opens_to_the_same_keys(shelf):
    factors = random.Random(8).randbytes(8 * 20)
    under = shelf.transport(transport_value(shelf), "batch")
    for name in algorithms(shelf):
        key = shelf.make("maintain", name)
        cryptograms, kcvs = shelf.store.diversify_wrapped(key, factors, under, FACTORS[:1])
        opened = card_ciphers.decrypt(shelf.store.wrapping, transport_value(shelf), cryptograms)
        assert opened == shelf.store.diversify_many(key, factors, FACTORS[:1])
        singles = [card_ciphers.kcv(name, opened[place : place + 16]) for place in range(0, len(opened), 16)]
        assert kcvs.hex() == "".join(singles)
    refusal("KEY_KIND", shelf.store.diversify_wrapped, shelf.make("internal"), factors, shelf.make("control"))


def test_an_exportable_key_travels_in_a_block(shelf):
    under = shelf.transport()
    for name in algorithms(shelf):
        spec = KeySpec("test.external", 7, name, "external", True)
        key = shelf.store.generate(spec, shelf.root)
        block = shelf.store.export_block(key, under)
        assert parse(block).spec == spec
        said, back = shelf.store.import_block(block, under, shelf.root)
        assert said == spec
        assert back.kcv == key.kcv == shelf.store.kcv(back)
        written = [shelf.store.diversify(each, FACTORS[:1]).plain_write_body(b"") for each in (key, back)]
        assert written[0] == written[1]


def test_a_key_that_must_stay_stays(shelf):
    refusal("KEY_NOT_EXPORTABLE", shelf.store.export_block, shelf.make("control"), shelf.transport())
    loose = shelf.make("control", exportable=True)
    refusal("KEY_KIND", shelf.store.export_block, loose, shelf.make("internal"))


def test_a_key_that_came_in_as_fixed_does_not_go_out_again(shelf):
    under = shelf.transport(transport_value(shelf))
    loose = shelf.make("control", exportable=True)
    block = shelf.store.export_block(loose, under)
    spec, value = key_blocks.unseal(block, transport_value(shelf), shelf.store.wrapping)
    fixed = key_blocks.seal(
        replace(spec, exportable=False), value, transport_value(shelf), shelf.store.wrapping
    )
    _, kept = shelf.store.import_block(fixed, under, shelf.root)
    refusal("KEY_NOT_EXPORTABLE", shelf.store.export_block, kept, under)


def test_a_block_that_was_touched_brings_nothing(shelf):
    under = shelf.transport()
    block = shelf.store.export_block(shelf.make("control", exportable=True), under)
    for place in (5, 11, 40, len(block) - 40, len(block) - 1):
        changed = bytearray(block)
        changed[place] = ord("1") if changed[place] != ord("1") else ord("2")
        with pytest.raises(BadInput) as refused:
            shelf.store.import_block(bytes(changed), under, shelf.root)
        assert refused.value.code in ("KEY_BLOCK_FORMAT", "KEY_BLOCK_BROKEN")
    refusal("KEY_BLOCK_BROKEN", shelf.store.import_block, block, shelf.transport(usage="partner"), shelf.root)
    refusal("KEY_KIND", shelf.store.import_block, block, shelf.make("control"), shelf.root)


def test_components_that_make_no_key(shelf):
    spec = KeySpec("test.control", 1, "3des", "control", False)
    for components in ([], [bytes(16)], [MASTER, MASTER], [bytes(16), bytes(15)], [bytes(8), MASTER[:8]]):
        refusal("KEY_COMPONENTS", shelf.store.import_components, spec, components, shelf.root)


def test_a_destroyed_key_is_gone(shelf):
    key = shelf.make("control")
    shelf.store.destroy(key)
    shelf.store.destroy(key)
    if key.handle:
        refusal("KEY_GONE", shelf.store.kcv, key)
        refusal("KEY_GONE", shelf.store.diversify, key, FACTORS[:1])


def test_what_is_of_another_store_is_refused(shelf):
    foreign = replace(shelf.make("control"), store="elsewhere")
    for act in (shelf.store.kcv, shelf.store.destroy, shelf.store.card_key):
        refusal("KEY_STORE_OTHER", act, foreign)


def test_an_algorithm_that_it_cannot_hold_is_refused(shelf):
    for name in {"sm4", "sm1"} - shelf.store.algorithms:
        error = refusal("KEY_ALGORITHM_UNSUPPORTED", shelf.make, "control", name)
        assert isinstance(error, Refused) and error.found == name.upper()


def test_threads_share_it(shelf):
    key = shelf.make("internal")
    expected = {place: shelf.store.diversify(key, [bytes([place]) * 8]).kcv for place in range(8)}
    wrong: list[int] = []

    def use(place: int) -> None:
        for _ in range(20):
            if shelf.store.diversify(key, [bytes([place]) * 8]).kcv != expected[place]:
                wrong.append(place)

    threads = [threading.Thread(target=use, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_forked_process_uses_it_and_the_parent_goes_on(shelf):
    """A web server forks its workers after it has imported the application."""
    key = shelf.make("internal")
    expected = shelf.store.diversify(key, FACTORS[:1]).kcv
    for _ in range(2):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = 0 if shelf.store.diversify(key, FACTORS[:1]).kcv == expected else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert shelf.store.diversify(key, FACTORS[:1]).kcv == expected


def test_it_tells_nothing_and_does_not_leave(shelf):
    key = shelf.take("internal", MASTER)
    card = shelf.store.diversify(key, FACTORS[:1])
    derived = card.plain_write_body(b"")
    for shown in (repr(shelf.store), str(shelf.store), repr(key), repr(card), str(vars(shelf.store))):
        for secret in (MASTER, derived):
            assert secret.hex() not in shown.lower() and repr(secret)[2:-1] not in shown
    for leave in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            leave(shelf.store)
