"""The fault dial and the stack of cards."""

import json
from pathlib import Path

import pytest

from xueka.sandbox.card.__main__ import Stack, specifications
from xueka.sandbox.card.faults import Faults
from xueka.sandbox.card.slot import Plastic

ATR = bytes.fromhex("3b00")
CREATE = bytes.fromhex("80e0001507280008f0f0ffff")
WRITE = bytes.fromhex("00d69500081122334455667788")
READ = bytes.fromhex("00b0950000")


def stack(faults: str, folder: Path | None = None, count: int = 1) -> Stack:
    specs = [{"uid": f"{place:08x}", "script": [CREATE.hex()]} for place in range(count)]
    return Stack(specs, ATR, Faults.read(faults), folder)


@pytest.mark.parametrize(
    ("effect", "found"),
    [("before", "0000000000000000"), ("torn", "1122334400000000"), ("after", "1122334455667788")],
)
def test_pulled_card_keeps_what_it_had_written(effect: str, found: str, tmp_path: Path) -> None:
    card = stack(f"{effect}@2", tmp_path).card(0)
    assert card.work(READ) is not None
    assert card.work(WRITE) is None
    assert card.pulled == {"command": 2, "effect": effect, "ins": "d6"}
    again = stack("", tmp_path).card(0)  # the process was killed; the card was not
    assert again.work(READ) == bytes.fromhex(found + "9000")


def test_words_of_the_dial() -> None:
    card = stack("status@1:6581,hang@2,slow=0,worn=0").card(0)
    assert card.work(WRITE) == b"\x65\x81"
    assert card.work(READ) is None
    assert card.pulled is None
    assert card.work(WRITE) == b"\x65\x81"  # worn out


@pytest.mark.parametrize("text", ["pul=1", "before@", "before@x", "status@1:zz", "slow=fast", "mute"])
def test_a_word_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=f"fault not understood: {text}"):
        Faults.read(text)


def test_share_of_cards_is_pulled_and_the_same_again() -> None:
    happening = [Faults.read("pull=0.1,seed=5,span=45").of_card(place) for place in range(1000)]
    assert happening == [Faults.read("pull=0.1,seed=5,span=45").of_card(place) for place in range(1000)]
    pulled = [each for each in happening if each]
    assert 70 <= len(pulled) <= 130
    assert {event for each in pulled for event, _ in each.values()} == {"before", "after", "torn"}
    assert all(1 <= number <= 45 for each in pulled for number in each)


def test_uids_of_a_stack(tmp_path: Path) -> None:
    file = tmp_path / "blank.json"
    file.write_text(json.dumps({"uid": "b00000ff"}))
    assert [each["uid"] for each in specifications(file, 2)] == ["b00000ff", "b0000100"]
    file.write_text(json.dumps([{"uid": "01"}]))
    assert specifications(file, 9) == [{"uid": "01"}]


def test_reader_answers_for_the_uid() -> None:
    card: Plastic = stack("").card(0)
    assert card.work(bytes.fromhex("ffca000000")) == bytes.fromhex("000000009000")
    assert card.commands == 0
