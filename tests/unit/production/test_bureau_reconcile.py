"""Reconciliation line by line: each defect is named where it stands, and harms no other line."""

import random
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.bureau_files import line, signed_return
from tests.support.size import dial
from xueka.contexts.production.adapters.bureau_package import open_return
from xueka.contexts.production.domain.bureau.line import ExpectedCard, ReturnRecord, Settled
from xueka.contexts.production.domain.bureau.reconcile import Reconciliation, reconcile
from xueka.contexts.production.domain.bureau.records import CardContents, Source
from xueka.contexts.production.domain.bureau.returns import ReturnRefused
from xueka.kernel.identifiers import card_number
from xueka.platform.crypto.sm2 import PrivateKey

BATCH = "B26-00001"
KEY = PrivateKey.generate()
SENT = CardContents(chip=True, transit=Source.SENT, beijing_tong=Source.SENT)
BLANK = SENT._replace(transit=Source.BLANK)
CHIPLESS = CardContents(chip=False, transit=Source.NONE, beijing_tong=Source.NONE)


def card(place: int) -> str:
    return card_number(2026, place)


def sent(place: int, **changed: object) -> ExpectedCard:
    number = card(place)
    return ExpectedCard(place, f"1000{number}", f"BJT{number}", "")._replace(**changed)


def batch(size: int) -> dict[str, ExpectedCard]:
    return {card(place): sent(place) for place in range(1, size + 1)}


def good(place: int, **changed: str) -> str:
    return line(place, card(place), **changed)


def outcome(result: Reconciliation) -> dict[str, list[str]]:
    """Card numbers by outcome."""
    return {
        name: [entry if isinstance(entry, str) else entry.card_number for entry in getattr(result, name)]
        for name in result._fields
        if getattr(result, name)
    }


def reasons(result: Reconciliation) -> list[tuple[int, str, str]]:
    return [(problem.line, problem.column, problem.code) for problem in result.problems]


def test_a_sound_file_matches_card_by_card() -> None:
    lines = [good(2, at="20260903235959"), good(1, result="02", uid="", text=r"模糊\p重印 ")]
    result = reconcile(SENT, batch(3), lines)
    assert result.matched == [
        ReturnRecord(
            2,
            card(2),
            f"1000{card(2)}",
            f"BJT{card(2)}",
            f"04{int(card(2)):012X}",
            "00",
            result.matched[0].produced_at,
            "",
        )
    ]
    assert result.matched[0].produced_at == datetime(2026, 9, 3, 15, 59, 59, tzinfo=UTC)
    assert [(record.card_number, record.result, record.text) for record in result.failed] == [
        (card(1), "02", "模糊|重印")
    ]
    assert result.missing == [card(3)]
    assert result.counts() == {
        "lines": 2,
        "matched": 1,
        "failed": 1,
        "missing": 1,
        "duplicate": 0,
        "unknown": 0,
        "altered": 0,
    }
    assert result.problems == []


@pytest.mark.parametrize("code", ["01", "02", "03", "04", "05", "99"])
def test_a_failed_card_may_leave_its_numbers_empty(code: str) -> None:
    result = reconcile(SENT, batch(1), [good(1, result=code, transit="", tong="", uid="", text="说明")])
    assert outcome(result) == {"failed": [card(1)]}


# Name → how the line of card `place` is spoilt, and the (column, code) that must be named.
Spoil = Callable[[int], str]
LINE_DEFECTS: dict[str, tuple[Spoil, list[tuple[str, str]]]] = {
    "sequence of another card": (
        lambda place: line(place + 1000, card(place)),
        [("sequence", "LINE_SEQUENCE")],
    ),
    "sequence with a zero in front": (
        lambda place: line(f"0{place}", card(place)),
        [("sequence", "LINE_SEQUENCE")],
    ),
    "sequence empty": (lambda place: line("", card(place)), [("sequence", "LINE_SEQUENCE")]),
    "sequence full-width": (
        lambda place: line(chr(0xFF10 + place % 10), card(place)),
        [("sequence", "LINE_SEQUENCE")],
    ),
    "transit number changed": (
        lambda place: good(place, transit=f"9{card(place)}"),
        [("transit_number", "LINE_TRANSIT_NUMBER")],
    ),
    "transit number missing on a made card": (
        lambda place: good(place, transit=""),
        [("transit_number", "LINE_TRANSIT_NUMBER")],
    ),
    "transit number changed on a failed card": (
        lambda place: good(place, transit="1", result="01"),
        [("transit_number", "LINE_TRANSIT_NUMBER")],
    ),
    "Beijing-Tong number changed": (
        lambda place: good(place, tong="BJT1"),
        [("beijing_tong_number", "LINE_BEIJING_TONG_NUMBER")],
    ),
    "Beijing-Tong number missing on a made card": (
        lambda place: good(place, tong=""),
        [("beijing_tong_number", "LINE_BEIJING_TONG_NUMBER")],
    ),
    "numbers exchanged": (
        lambda place: good(place, transit=f"BJT{card(place)}", tong=f"1000{card(place)}"),
        [
            ("beijing_tong_number", "LINE_BEIJING_TONG_NUMBER"),
            ("transit_number", "LINE_TRANSIT_NUMBER"),
        ],
    ),
    "UID missing on a made card": (lambda place: good(place, uid=""), [("chip_uid", "LINE_CHIP_UID")]),
    "UID in small letters": (
        lambda place: good(place, uid=f"ab{place:012x}"),
        [("chip_uid", "LINE_CHIP_UID")],
    ),
    "UID a digit short": (lambda place: good(place, uid=f"{place:013X}"), [("chip_uid", "LINE_CHIP_UID")]),
    "UID of six bytes": (lambda place: good(place, uid=f"{place:012X}"), [("chip_uid", "LINE_CHIP_UID")]),
    "UID no hexadecimal": (
        lambda place: good(place, uid=f"0X{place:012d}"),
        [("chip_uid", "LINE_CHIP_UID")],
    ),
    "result unknown": (lambda place: good(place, result="07"), [("result", "LINE_RESULT")]),
    "result one digit": (lambda place: good(place, result="0"), [("result", "LINE_RESULT")]),
    "no such day": (lambda place: good(place, at="20260230120000"), [("produced_at", "LINE_PRODUCED_AT")]),
    "no such hour": (lambda place: good(place, at="20260903240000"), [("produced_at", "LINE_PRODUCED_AT")]),
    "time empty": (lambda place: good(place, at=""), [("produced_at", "LINE_PRODUCED_AT")]),
    "time without seconds": (
        lambda place: good(place, at="202609031015"),
        [("produced_at", "LINE_PRODUCED_AT")],
    ),
    "time with a fraction": (
        lambda place: good(place, at="20260903101500.5"),
        [("produced_at", "LINE_PRODUCED_AT")],
    ),
    "time by week": (
        lambda place: good(place, at="2026W361101500"),
        [("produced_at", "LINE_PRODUCED_AT")],
    ),
    "time with separators": (
        lambda place: good(place, at="2026-09-03 1015"),
        [("produced_at", "LINE_PRODUCED_AT")],
    ),
    "time in other digits": (
        lambda place: good(place, at="２0260903101500"),
        [("produced_at", "LINE_PRODUCED_AT")],
    ),
    "no text for 99": (lambda place: good(place, result="99"), [("text", "LINE_TEXT")]),
    "blank text for 99": (lambda place: good(place, result="99", text="  "), [("text", "LINE_TEXT")]),
    "text too long": (lambda place: good(place, text="长" * 201), [("text", "LINE_TEXT")]),
    "text wrongly escaped": (lambda place: good(place, text="a\\n"), [("text", "LINE_TEXT")]),
    "text with a control character": (lambda place: good(place, text="a\tb"), [("text", "LINE_TEXT")]),
    "a field less": (lambda place: good(place).rsplit("|", 1)[0], [("line", "LINE_FIELDS")]),
    "a field more": (lambda place: good(place) + "|", [("line", "LINE_FIELDS")]),
    "three things at once": (
        lambda place: good(place, uid="zz", result="7", at="0"),
        [("chip_uid", "LINE_CHIP_UID"), ("produced_at", "LINE_PRODUCED_AT"), ("result", "LINE_RESULT")],
    ),
    "twice, saying other things": (
        lambda place: good(place) + "\r\n" + good(place, result="01"),
        [("line", "LINE_CONTRADICTION")],
    ),
    "twice, the second malformed": (
        lambda place: good(place) + "\r\n" + good(place, result="1"),
        [("line", "LINE_CONTRADICTION")],
    ),
}


@pytest.mark.parametrize("name", LINE_DEFECTS)
def test_each_line_defect_is_named_and_stops_no_other(name: str) -> None:
    spoil, expected = LINE_DEFECTS[name]
    lines = [good(1), *spoil(2).split("\r\n"), good(3)]
    result = reconcile(SENT, batch(4), lines)
    assert [entry.card_number for entry in result.matched] == [card(1), card(3)]
    assert {entry.card_number for entry in result.altered} == {card(2)}
    assert result.missing == [card(4)]
    assert [(column, code) for number, column, code in reasons(result) if number == 3] == expected
    assert all(f"第 {problem.line} 行" in problem.message for problem in result.problems)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (card(9), "LINE_UNKNOWN_CARD"),
        (card(2)[:-1] + str((int(card(2)[-1]) + 1) % 10), "LINE_CARD_NUMBER"),
        ("", "LINE_CARD_NUMBER"),
        ("12", "LINE_CARD_NUMBER"),
        ("２" + card(2)[1:], "LINE_CARD_NUMBER"),
    ],
)
def test_a_card_that_was_never_sent_is_unknown(number: str, code: str) -> None:
    result = reconcile(SENT, batch(2), [good(1), line(2, number, uid="04A1B2C3")])
    assert outcome(result) == {"matched": [card(1)], "missing": [card(2)], "unknown": [number]}
    assert reasons(result) == [(3, "card_number", code)]


def test_a_line_without_a_card_number_is_unknown() -> None:
    result = reconcile(SENT, batch(1), ["D|1", "D|"])
    assert outcome(result) == {"missing": [card(1)], "unknown": ["", ""]}


def test_a_repeated_line_is_ignored_whatever_its_time_and_text() -> None:
    lines = [good(1), good(2, result="01"), good(1, at="20260904101500", text="再报"), good(2, result="01")]
    result = reconcile(SENT, batch(2), lines)
    assert outcome(result) == {
        "matched": [card(1)],
        "failed": [card(2)],
        "duplicate": [card(1), card(2)],
    }
    assert reasons(result) == [(4, "line", "LINE_DUPLICATE"), (5, "line", "LINE_DUPLICATE")]


def test_a_repeated_line_that_is_wrong_is_altered_once() -> None:
    result = reconcile(SENT, batch(1), [good(1, uid=""), good(1, uid="")])
    assert outcome(result) == {"duplicate": [card(1)], "altered": [card(1)]}


def test_contradictory_lines_are_altered_all_of_them() -> None:
    lines = [good(1), good(1), good(1, result="02"), good(2)]
    result = reconcile(SENT, batch(2), lines)
    assert outcome(result) == {"matched": [card(2)], "altered": [card(1)] * 3}
    assert reasons(result) == [(number, "line", "LINE_CONTRADICTION") for number in (2, 3, 4)]


def test_one_chip_on_two_cards_is_altered_on_both() -> None:
    chip = "04A1B2C3D4E5F6"
    lines = [good(1, uid=chip), good(2, uid=chip, result="02"), good(3)]
    result = reconcile(SENT, batch(3), lines)
    assert outcome(result) == {"matched": [card(3)], "altered": [card(1), card(2)]}
    assert reasons(result) == [(number, "chip_uid", "LINE_CHIP_UID_TWICE") for number in (2, 3)]


def test_a_bound_blank_must_be_the_one_used() -> None:
    expected = {card(1): sent(1, blank_uid="04A1B2C3D4E5F6"), card(2): sent(2, blank_uid="04AAAAAAAAAAAA")}
    lines = [good(1, uid="04A1B2C3D4E5F6"), good(2, uid="04BBBBBBBBBBBB")]
    result = reconcile(SENT, expected, lines)
    assert outcome(result) == {"matched": [card(1)], "altered": [card(2)]}
    assert reasons(result) == [(3, "chip_uid", "LINE_CHIP_UID_BOUND")]
    spoilt = reconcile(SENT, expected, [good(2, uid="04BBBBBBBBBBBB", result="01")])
    assert spoilt.failed[0].chip_uid == "04BBBBBBBBBBBB"


def test_numbers_that_come_with_the_blank() -> None:
    expected = {number: entry._replace(transit_number="") for number, entry in batch(5).items()}
    lines = [
        good(1, transit="T1"),
        good(2, transit=""),
        good(3, transit="T3"),
        good(4, transit="T3"),
        good(5, transit="", result="01"),
    ]
    result = reconcile(BLANK, expected, lines)
    assert outcome(result) == {
        "matched": [card(1)],
        "failed": [card(5)],
        "altered": [card(2), card(3), card(4)],
    }
    assert reasons(result) == [
        (3, "transit_number", "LINE_TRANSIT_NUMBER"),
        (4, "transit_number", "LINE_TRANSIT_TWICE"),
        (5, "transit_number", "LINE_TRANSIT_TWICE"),
    ]


def test_a_kind_without_chip_and_numbers() -> None:
    expected = {card(place): ExpectedCard(place, "", "", "") for place in (1, 2, 3)}
    bare = {"transit": "", "tong": "", "uid": ""}
    lines = [
        good(1, **bare),
        good(2, **bare | {"uid": "04A1B2C3"}),
        good(3, **bare | {"uid": "04A1B2C3", "transit": "T1"}),
    ]
    result = reconcile(CHIPLESS, expected, lines)
    assert outcome(result) == {"matched": [card(1)], "altered": [card(2), card(3)]}
    assert reasons(result) == [
        (3, "chip_uid", "LINE_CHIP_UID"),
        (4, "chip_uid", "LINE_CHIP_UID"),
        (4, "transit_number", "LINE_TRANSIT_NUMBER"),
    ]


def settled(place: int, result: str = "00") -> ExpectedCard:
    number = card(place)
    said = Settled(f"1000{number}", f"BJT{number}", f"04{int(number):012X}", result)
    return sent(place, settled=said)


def test_what_an_earlier_file_settled_stays() -> None:
    expected = batch(5) | {card(1): settled(1), card(2): settled(2), card(3): settled(3)}
    lines = [good(1), good(2, result="01"), good(4, uid=f"04{int(card(3)):012X}"), good(1)]
    result = reconcile(SENT, expected, lines)
    assert outcome(result) == {
        "duplicate": [card(1), card(1)],
        "altered": [card(2), card(4)],
        "missing": [card(5)],
    }
    assert reasons(result) == [
        (2, "line", "LINE_DUPLICATE"),
        (3, "line", "LINE_CONTRADICTION"),
        (4, "chip_uid", "LINE_CHIP_UID_TWICE"),
        (5, "line", "LINE_DUPLICATE"),
    ]
    assert reconcile(SENT, {card(1): settled(1)}, []).missing == []


def test_settled_blanks_keep_their_transit_number() -> None:
    expected = {
        card(1): settled(1)._replace(transit_number=""),
        card(2): sent(2, transit_number=""),
    }
    taken = f"1000{card(1)}"
    assert reasons(reconcile(BLANK, expected, [good(2, transit=taken)])) == [
        (2, "transit_number", "LINE_TRANSIT_TWICE")
    ]


def test_mutated_then_signed_files_name_every_defect() -> None:
    """Many files of 20 cards, ten of them spoilt each; exactly the planted defects are found."""
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    size, spoilt = 20, 10
    for _ in range(dial(1000, 10_000) // spoilt):
        wrong = set(chance.sample(range(1, size + 1), spoilt))
        lines: list[str] = []
        expected: list[tuple[int, str, str]] = []
        dropped, strangers = [], 0
        for place in chance.sample(range(1, size + 1), size):
            start = len(lines) + 2
            if place not in wrong:
                lines.append(good(place))
                continue
            kind = chance.choice([*LINE_DEFECTS, "dropped", "stranger", "repeated"])
            if kind == "dropped":
                dropped.append(card(place))
            elif kind == "stranger":
                strangers += 1
                dropped.append(card(place))
                lines.append(line(place, card(place + 500)))
                expected.append((start, "card_number", "LINE_UNKNOWN_CARD"))
            elif kind == "repeated":
                lines += [good(place), good(place)]
                expected.append((start + 1, "line", "LINE_DUPLICATE"))
            else:
                spoil, named = LINE_DEFECTS[kind]
                added = spoil(place).split("\r\n")
                lines += added
                expected += [(start, column, code) for column, code in named]
                if len(added) > 1:
                    expected.append((start + 1, "line", "LINE_CONTRADICTION"))
                    if kind == "twice, the second malformed":
                        expected.append((start + 1, "result", "LINE_RESULT"))
        file = open_return(signed_return(KEY, lines), [KEY.public], BATCH)
        result = reconcile(SENT, batch(size), file.lines)
        assert reasons(result) == sorted(expected)
        assert sorted(result.missing) == sorted(dropped)
        assert len(result.unknown) == strangers
        assert {record.card_number for record in result.matched} >= {
            card(place) for place in range(1, size + 1) if place not in wrong
        }
        assert result.counts()["lines"] == len(lines)


def test_anything_signed_is_refused_whole_or_judged_line_by_line() -> None:
    """The text is changed at random and signed anew: there is no third outcome, and the six sets add up."""
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    expected = batch(12)
    refused = judged = 0
    for _ in range(dial(1000, 10_000)):
        text = bytearray(
            "\r\n".join(
                [f"H|XKRET|1.0|{BATCH}|1|12", *map(good, range(1, 13)), "T|12|12|0|0|0|0|0|0", ""]
            ).encode()
        )
        for _ in range(chance.choice((1, 1, 1, 3))):
            place = chance.randrange(len(text))
            if chance.random() < 0.6:
                text[place] = chance.choice(b"0123456789ABCDEFx|\\ \xa1\xfe\r\n")
            elif chance.random() < 0.5:
                del text[place : place + chance.randrange(1, 40)]
            else:
                text[place:place] = text[(other := chance.randrange(len(text))) : other + 30]
        try:
            file = open_return(signed_return(KEY, [], text=bytes(text)), [KEY.public], BATCH)
        except ReturnRefused:
            refused += 1
            continue
        judged += 1
        assert_adds_up(expected, file.lines, reconcile(SENT, expected, file.lines))
    assert refused > 100
    assert judged > 100


def assert_adds_up(expected: dict[str, ExpectedCard], lines: list[str], result: Reconciliation) -> None:
    """Every line in one set; every open card in one of matched, failed, altered, missing."""
    by_line = [
        entry.line
        for entries in (result.matched, result.failed, result.duplicate, result.unknown, result.altered)
        for entry in entries
    ]
    assert sorted(by_line) == list(range(2, len(lines) + 2))
    applied = [record.card_number for record in result.matched + result.failed]
    altered = {entry.card_number for entry in result.altered}
    still_open = [number for number, entry in expected.items() if entry.settled is None]
    assert sorted([*applied, *(altered & set(still_open)), *result.missing]) == sorted(still_open)
    chips = [record.chip_uid for record in result.matched]
    assert len(chips) == len(set(chips))
    for refused in (*result.duplicate, *result.unknown, *result.altered):
        assert refused.problems
        assert refused.content == lines[refused.line - 2]


SMALL = st.sampled_from(["00", "01", "99", "7", ""])


@st.composite
def wild_lines(draw: st.DrawFn) -> list[str]:
    """Lines over few cards, chips and numbers, so that everything collides."""
    place = st.integers(1, 5)
    lines = draw(
        st.lists(
            st.builds(
                lambda seat, number, chip, transit, result, text: line(
                    seat,
                    card(number),
                    uid=chip,
                    result=result,
                    text=text,
                    **({} if transit is None else {"transit": transit}),
                ),
                place,
                place,
                st.sampled_from(["04A1B2C3", "04A1B2C4", "04A1B2C5", "", "zz"]),
                st.sampled_from([None, "T1", "T2", ""]),
                SMALL,
                st.sampled_from(["", "说明", "\\"]),
            ),
            max_size=8,
        )
    )
    return [text if draw(st.integers(0, 9)) else text[: draw(st.integers(2, len(text)))] for text in lines]


@settings(max_examples=dial(200, 10_000), deadline=None)
@given(
    wild_lines(),
    st.sampled_from([SENT, BLANK, CHIPLESS]),
    st.sets(st.integers(1, 4)),
    st.sampled_from(["00", "01"]),
)
def test_the_six_sets_always_add_up(
    lines: list[str], contents: CardContents, done: set[int], result: str
) -> None:
    expected = {
        number: settled(entry.sequence, result) if entry.sequence in done else entry
        for number, entry in batch(4).items()
    }
    assert_adds_up(expected, lines, reconcile(contents, expected, lines))
