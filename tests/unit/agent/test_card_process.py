"""Small rules of the process beside the reader."""

import pytest

card_process = pytest.importorskip("xueka.agent.card_process", reason="pyscard is missing")


@pytest.mark.parametrize(
    ("word", "wanted", "fits"),
    [
        ("9000", ["9000"], True),
        ("63c2", ["9000", "63c?"], True),
        ("6983", ["63c?"], False),
        ("9000", ["????"], True),
        ("9000", ["900"], False),
        ("9000", [], False),
    ],
)
def test_expected_words(word: str, wanted: list[str], fits: bool) -> None:
    assert card_process.expected(word, wanted) is fits


def test_reader_is_found_by_a_part_of_its_name() -> None:
    listed = ["ACS ACR1281 00 00", "ACS ACR1281 01 00"]
    assert card_process.resolve("ACS ACR1281 01 00", listed) == "ACS ACR1281 01 00"
    assert card_process.resolve("acr1281", listed) == "ACS ACR1281 00 00"
    assert card_process.resolve("Omnikey", listed) is None


def test_what_a_reader_shows() -> None:
    scard, shown = card_process.scard, card_process._shown
    assert shown(None) == ("gone", "")
    assert shown((scard.SCARD_STATE_UNKNOWN, [])) == ("gone", "")
    assert shown((scard.SCARD_STATE_EMPTY, [])) == ("empty", "")
    assert shown((scard.SCARD_STATE_PRESENT, [0x3B, 0])) == ("card", "3b00")
    assert shown((scard.SCARD_STATE_PRESENT | scard.SCARD_STATE_MUTE, [])) == ("mute", "")
    assert shown((scard.SCARD_STATE_PRESENT | scard.SCARD_STATE_EXCLUSIVE, [0x3B, 0])) == ("card", "3b00")
