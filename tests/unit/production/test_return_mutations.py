"""Mutated return files end to end: every defect is named by line, column and reason, and stops nothing else.

Mutated and signed again for defects of lines, mutated unsigned for the refusal as a whole.
Each file goes through the database and is taken back by a savepoint.
"""

import io
import os
import random
import zipfile
from collections import Counter
from collections.abc import Callable

import pytest
from django.db import transaction

from tests.support import bureau_files
from tests.support.size import dial
from tests.unit.production.conftest import FIRST, Line, items, line, signed_return
from tests.unit.production.test_returns import footprint
from xueka.contexts.production import api as production
from xueka.contexts.production.models import BatchItem, Problem, ReturnFile
from xueka.kernel.identifiers import card_number

CARDS = 6
Found = tuple[int | None, str, str]
"""Line, column, code."""

# One field each: its place in the line, what it becomes, the column and code that must be named.
FIELD_DEFECTS: list[tuple[int, Callable[[str], str], str, str]] = [
    (1, lambda old: str(int(old) + CARDS), "sequence", "LINE_SEQUENCE"),
    (1, lambda old: f"0{old}", "sequence", "LINE_SEQUENCE"),
    (1, lambda old: "", "sequence", "LINE_SEQUENCE"),
    (3, lambda old: old[:-1] + str((int(old[-1]) + 1) % 10), "transit_number", "LINE_TRANSIT_NUMBER"),
    (3, lambda old: "", "transit_number", "LINE_TRANSIT_NUMBER"),
    (4, lambda old: old.lower(), "beijing_tong_number", "LINE_BEIJING_TONG_NUMBER"),
    (4, lambda old: "", "beijing_tong_number", "LINE_BEIJING_TONG_NUMBER"),
    (5, lambda old: "", "chip_uid", "LINE_CHIP_UID"),
    (5, lambda old: old[:-1], "chip_uid", "LINE_CHIP_UID"),
    (5, lambda old: "z" + old[1:], "chip_uid", "LINE_CHIP_UID"),
    (7, lambda old: "20260230120000", "produced_at", "LINE_PRODUCED_AT"),
    (7, lambda old: old[:12], "produced_at", "LINE_PRODUCED_AT"),
    (7, lambda old: "", "produced_at", "LINE_PRODUCED_AT"),
    (8, lambda old: "坏\\x", "text", "LINE_TEXT"),
    (8, lambda old: "长" * 201, "text", "LINE_TEXT"),
    (8, lambda old: "\x07", "text", "LINE_TEXT"),
]
RESULT_DEFECTS = ["07", "0", "xx", "０0"]


class Mutant:
    """Lines of a file with what must be said of each; `open` are the cards that must not move."""

    def __init__(self, batch: list[BatchItem], dice: random.Random) -> None:
        self.dice = dice
        self.lines: list[tuple[str, list[tuple[str, str]]]] = []
        self.missing = 0
        self.open: set[str] = set()
        self.again: list[str] = []
        for item in batch:
            self._say(item, batch)

    def _say(self, item: BatchItem, batch: list[BatchItem]) -> None:
        sound, number = line(item), item.card.number
        kind = self.dice.choice(["sound"] * 3 + ["fields"] * 3 + ["result", "cut", "unknown", "digit", "drop",
                                                                "again", "against", "chip"])  # fmt: skip
        fields = sound.split("|")
        if kind == "again":
            self.again.append(sound)
        if kind in ("sound", "again"):
            self.lines.append((sound, []))
            return
        self.open.add(number)
        if kind == "drop":
            self.missing += 1
        elif kind == "cut":
            self.lines.append(("|".join(fields[: self.dice.randint(3, 8)]), [("line", "LINE_FIELDS")]))
        elif kind == "result":
            fields[6] = self.dice.choice(RESULT_DEFECTS)
            self.lines.append(("|".join(fields), [("result", "LINE_RESULT")]))
        elif kind == "against":
            said = [("line", "LINE_CONTRADICTION")]
            self.lines += [(sound, said), (line(item, result="02"), said)]
        elif kind in ("unknown", "digit"):
            wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
            fields[2] = card_number(2001, item.position) if kind == "unknown" else wrong
            code = "LINE_UNKNOWN_CARD" if kind == "unknown" else "LINE_CARD_NUMBER"
            self.lines.append(("|".join(fields), [("card_number", code)]))
            self.missing += 1
        elif kind == "chip":
            said = [("chip_uid", "LINE_CHIP_UID_TWICE")]
            self.lines.append((line(item, uid="0" * 14), said))
        else:
            chosen = {
                defect[0]: defect for defect in self.dice.sample(FIELD_DEFECTS, self.dice.randint(1, 3))
            }
            for place, change, _, _ in chosen.values():
                fields[place] = change(fields[place])
            self.lines.append(("|".join(fields), [(column, code) for *_, column, code in chosen.values()]))

    def finish(self) -> tuple[list[str], set[Found]]:
        """The lines in any order, and everything that the report must say, nothing more."""
        shared = [entry for entry in self.lines if entry[1] == [("chip_uid", "LINE_CHIP_UID_TWICE")]]
        if len(shared) == 1:  # a chip alone is no defect
            self.lines[self.lines.index(shared[0])] = (shared[0][0], [])
            self.open.discard(shared[0][0].split("|")[2])
        self.lines += [(sound, []) for sound in self.again]
        self.dice.shuffle(self.lines)
        expected: set[Found] = set()
        seen: set[str] = set()
        for place, (text, said) in enumerate(self.lines, 2):
            repeated = [("line", "LINE_DUPLICATE")] if text in self.again and text in seen else []
            expected |= {(place, column, code) for column, code in [*said, *repeated]}
            seen.add(text)
        return [text for text, _ in self.lines], expected


def _dice() -> random.Random:
    seed = int(os.environ.get("XUEKA_TEST_SEED") or random.SystemRandom().randrange(10**9))
    print(f"XUEKA_TEST_SEED={seed}")
    return random.Random(seed)


@pytest.mark.django_db
def test_every_defect_of_a_line_is_named_and_stops_no_other(made_line: Line) -> None:
    dice = _dice()
    batch = made_line.acknowledged(CARDS)
    places = items(batch)
    named: Counter[str] = Counter()
    for _ in range(dial(200, 7000)):
        mutant = Mutant(places, dice)
        lines, expected = mutant.finish()
        with transaction.atomic():
            report = made_line.take(batch, lines)
            errors = [(error["line"], error["column"], error["code"]) for error in report.errors]
            missing = [error for error in errors if error[2] == "CARD_MISSING"]
            assert sorted(error for error in errors if error not in missing) == sorted(expected), lines
            assert len(missing) == mutant.missing == report.missing
            assert all(
                f"第 {error['line']} 行" in error["message"] for error in report.errors if error["line"]
            )
            for item in batch.items.select_related("card"):
                untouched = (item.card.state, item.card.chip_uid) == ("ordered", "")
                assert untouched == (item.card.number in mutant.open), lines
            transaction.set_rollback(True)
        named.update(code for _, _, code in errors)
    assert {*named} == {
        "LINE_FIELDS", "LINE_SEQUENCE", "LINE_CARD_NUMBER", "LINE_UNKNOWN_CARD", "LINE_TRANSIT_NUMBER",
        "LINE_BEIJING_TONG_NUMBER", "LINE_CHIP_UID", "LINE_CHIP_UID_TWICE", "LINE_RESULT", "LINE_PRODUCED_AT",
        "LINE_TEXT", "LINE_CONTRADICTION", "LINE_DUPLICATE", "CARD_MISSING",
    }  # fmt: skip


@pytest.mark.django_db
def test_a_file_that_is_broken_as_a_whole_changes_nothing(made_line: Line) -> None:
    dice = _dice()
    batch = made_line.acknowledged(CARDS)
    content = signed_return(batch, [line(item) for item in items(batch)])
    before = footprint()
    refused: Counter[str] = Counter()
    for _ in range(dial(80, 3000)):
        broken = _broken(content, dice)
        with transaction.atomic():
            report = production.import_return(FIRST, broken, f"XKR_{batch.number}_1.zip", batch.number)
            refused[report.errors[0]["code"] if report.errors else "unharmed"] += 1
            if report.state == "refused":
                [error] = report.errors
                assert error["code"].startswith("RETURN_")
                assert error["message"]
                assert error["column"]
                assert footprint() == before
                kept = ReturnFile.objects.get()
                assert (kept.state, kept.refusal_code) == ("refused", error["code"])
                assert Problem.objects.get().detail["code"] == error["code"]
            else:  # the change met a field of the ZIP that carries no meaning
                assert report.matched == CARDS
            transaction.set_rollback(True)
    assert {"RETURN_FORMAT", "RETURN_TRUNCATED", "RETURN_SIGNATURE", "RETURN_DIGEST"} <= {*refused}
    assert refused["unharmed"] < refused.total() / 2


def _broken(content: bytes, dice: random.Random) -> bytes:
    """Cut off, changed anywhere, or put together again around a member that was changed and not signed."""
    if dice.random() < 0.2:
        return content[: dice.randrange(len(content))]
    if dice.random() < 0.4:
        return _changed(content, dice)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = dice.choice(list(members))
    return bureau_files.pack(members | {name: _changed(members[name], dice)})


def _changed(data: bytes, dice: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(dice.randint(1, 3)):
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)
