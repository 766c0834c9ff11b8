"""Whatever is sent, the card answers; what is locked stays locked; what is saved is what was there."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.size import dial
from tests.unit.sandbox.card.hand import CONTROL, FF, LINE, Hand
from xueka.sandbox.card import memory
from xueka.sandbox.card.system import HANDLERS

EXAMPLES = dial(150, 5000)
HEADS = st.sampled_from([bytes(head) for head in HANDLERS])
PLACES = st.sampled_from(
    [
        bytes.fromhex(each)
        for each in ("0000", "0100", "3900", "3600", "0015", "9500", "0184", "01b4", "00c4", "3f00")
    ]
)
KEY_BODIES = st.sampled_from(
    [bytes.fromhex(each) for each in (f"39f0f10f33{CONTROL}", f"36f0f1ff33{LINE}", "3af0ef0133123456")]
)
DATA = st.binary(max_size=24) | KEY_BODIES | st.just(bytes.fromhex("28 0010 f0f0ffff"))


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """Often a command that the card knows, at a place where something is; often its lengths are wrong."""
    data = draw(DATA)
    lengths = draw(st.sampled_from([bytes([len(data)]), b"", b"\x00", b"\x04"]))
    tail = draw(st.sampled_from([b"", b"\x00", b"\x08"]))
    return draw(HEADS) + draw(PLACES | st.binary(min_size=2, max_size=2)) + lengths + data + tail


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.lists(frames() | st.binary(max_size=300), max_size=40), st.booleans(), st.sampled_from(["3des", "sm4"])
)
def test_any_frame_has_an_answer(sent: list[bytes], authenticated: bool, kind: str) -> None:
    hand = Hand(algorithm=kind)
    hand.application()
    if authenticated:
        hand.authenticate(CONTROL)
    for frame in sent:
        answer = hand.system.process(frame)
        assert len(answer) >= 2
        assert answer[-2] & 0xF0 in {0x60, 0x90}
        assert answer[-2:] == b"\x90\x00" or len(answer) == 2
    _sound(hand.system.card)


def _sound(card: memory.Card) -> None:
    """Room is never overdrawn, counters never above their most; the image survives being written and read."""
    waiting = [card.master]
    for directory in waiting:
        assert directory.free >= 0
        waiting += [each for each in directory.files.values() if isinstance(each, memory.Directory)]
        for key in directory.keys.keys if directory.keys else []:
            assert key.type not in memory.COUNTED or key.left <= key.most
    again = memory.Card.restore(json.loads(json.dumps(card.image())))
    again.path = card.path
    assert again == card


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(frames(), max_size=40))
def test_a_locked_key_never_opens_again(sent: list[bytes]) -> None:
    hand = Hand()
    while hand.authenticate("00" * 16) != "6983":
        pass
    for frame in sent:
        hand.system.process(frame)
    hand.system.reset()
    assert hand.authenticate(FF) == "6983"
    assert hand.authenticate(CONTROL) == "6983"


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(frames(), max_size=40))
def test_a_stranger_changes_nothing_but_counters(sent: list[bytes]) -> None:
    """Without its control key an issued card keeps its files, its keys and their rights."""
    hand = Hand(script=["80e0001507280020f0fffdff", "80e0001607a80020f0ffff7f"])
    before = json.loads(json.dumps(hand.system.card.image()))
    for frame in sent:
        hand.system.process(frame)
    after = json.loads(json.dumps(hand.system.card.image()))
    for image in (before, after):
        image.pop("writes")
        for key in image["master"]["keys"]["keys"]:
            key["body"] = key["body"][:8] + key["body"][10:]  # the counter
    assert after == before


def test_tries_are_not_won_back_by_a_reset() -> None:
    hand = Hand(tries=3)
    for left in (2, 1, 0):
        hand.system.reset()
        assert hand.authenticate("00" * 16) == f"63c{left}"
    hand.system.reset()
    assert hand.authenticate(FF) == "6983"
