"""Reconciling a sound return file with its batch (docs/interfaces/card-bureau.md §11.2).

Pure and total: it never raises for what a line says. Each line is judged by itself first (`line.judge`); then
what only the whole file can tell is settled: repeated and contradictory lines, and one chip on two cards.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from xueka.contexts.production.domain.bureau.line import (
    CARD,
    CHIP_UID,
    MADE,
    TRANSIT,
    ExpectedCard,
    ReturnRecord,
    judge,
    unknown_problem,
)
from xueka.contexts.production.domain.bureau.records import CardContents, Source
from xueka.contexts.production.domain.bureau.returns import LINE_FIELDS
from xueka.contexts.production.domain.bureau.text import OPAQUE_NUMBER, UID
from xueka.kernel.errors import LineProblem

FIRST_LINE = 2
"""The line of the file in which the first D line stands, as a person counts."""


class RefusedLine(NamedTuple):
    """A line that changes nothing, with every reason. `card_number` is empty when the line has none."""

    line: int
    card_number: str
    content: str
    problems: tuple[LineProblem, ...]


class Reconciliation(NamedTuple):
    """What a return file means. Lines are in the order of the file, `missing` in that of the batch.

    Every line is in exactly one of matched, failed, duplicate, unknown, altered. Every card that was open
    before is in exactly one of: matched, failed, the cards of altered, missing.
    """

    matched: list[ReturnRecord]
    failed: list[ReturnRecord]
    missing: list[str]
    duplicate: list[RefusedLine]
    unknown: list[RefusedLine]
    altered: list[RefusedLine]

    @property
    def problems(self) -> list[LineProblem]:
        """All reasons of all refused lines, in the order of the file."""
        refused = self.duplicate + self.unknown + self.altered
        return sorted(problem for line in refused for problem in line.problems)

    def counts(self) -> dict[str, int]:
        """The six numbers, and `lines`."""
        counted = {name: len(getattr(self, name)) for name in self._fields}
        return {"lines": sum(counted.values()) - counted["missing"], **counted}


def reconcile(
    contents: CardContents, expected: Mapping[str, ExpectedCard], lines: Sequence[str]
) -> Reconciliation:
    """Judge the D lines of one return file against the cards of its batch (by card number)."""
    return reconcile_numbered(contents, expected, dict(enumerate(lines, FIRST_LINE)))


def reconcile_numbered(
    contents: CardContents, expected: Mapping[str, ExpectedCard], lines: Mapping[int, str]
) -> Reconciliation:
    """The same for D lines by their place in the file, in its order. Judged ones may be left out."""
    sound: dict[int, ReturnRecord] = {}
    defects: dict[int, list[LineProblem]] = {}
    unknown: list[RefusedLine] = []
    first_line: dict[str, int] = {}
    again: dict[str, list[int]] = {}
    watched = _watched(contents, expected)
    for number, line in lines.items():
        fields = line.split("|")
        card = fields[CARD] if len(fields) > CARD else ""
        known = expected.get(card)
        if known is None:
            unknown.append(RefusedLine(number, card, line, (unknown_problem(number, card),)))
            continue
        first = first_line.setdefault(card, number)
        if first != number or known.settled:
            again.setdefault(card, [first] if first != number else []).append(number)
        if len(fields) == LINE_FIELDS:
            for holders in watched:
                holders.note(card, fields[holders.place])
        verdict = judge(contents, number, fields, known)
        if isinstance(verdict, ReturnRecord):
            sound[number] = verdict
        else:
            defects[number] = verdict

    for holders in watched:
        for number, problem in holders.problems(expected, lines):
            defects.setdefault(number, []).append(problem)
    duplicate: dict[int, LineProblem] = {}
    for card, numbers in again.items():
        _settle(card, expected[card], numbers, lines, duplicate, defects)

    good = [r for number, r in sound.items() if number not in defects and number not in duplicate]
    return Reconciliation(
        matched=[record for record in good if record.result == MADE],
        failed=[record for record in good if record.result != MADE],
        missing=[card for card, sent in expected.items() if not sent.settled and card not in first_line],
        duplicate=[_refused(number, lines, [duplicate[number]]) for number in sorted(duplicate)],
        unknown=unknown,
        altered=[
            _refused(number, lines, defects[number]) for number in sorted(defects.keys() - duplicate.keys())
        ],
    )


def _watched(contents: CardContents, expected: Mapping[str, ExpectedCard]) -> list["_Holders"]:
    """The fields of which no two cards may share a value, with what earlier files settled."""
    watched = []
    if contents.chip:
        watched.append(_Holders(CHIP_UID, UID, "chip_uid", "LINE_CHIP_UID_TWICE", "芯片UID"))
    if contents.transit is Source.BLANK:
        form, code = OPAQUE_NUMBER, "LINE_TRANSIT_TWICE"
        watched.append(_Holders(TRANSIT, form, "transit_number", code, "一卡通号"))
    for card, sent in expected.items():
        if sent.settled:
            earlier = _settled_fields(card, sent)
            for holders in watched:
                holders.note(card, earlier[holders.place])
    return watched


class _Holders:
    """Which card each value of one field was reported for; a value with two cards is shared, and wrong.

    A value that has not the `form` of the field is named elsewhere and not again here.
    """

    def __init__(self, place: int, form: str, column: str, code: str, label: str) -> None:
        self.place = place
        self._form, self._column, self._code, self._label = form, column, code, label
        self._card_of: dict[str, str] = {}
        self._shared: set[str] = set()

    def note(self, card: str, value: str) -> None:
        if self._card_of.setdefault(value, card) != card:
            self._shared.add(value)

    def problems(
        self, expected: Mapping[str, ExpectedCard], lines: Mapping[int, str]
    ) -> Iterator[tuple[int, LineProblem]]:
        """One problem for every line of the file with a shared value."""
        shared = {value for value in self._shared if re.fullmatch(self._form, value, re.ASCII)}
        for number, line in lines.items() if shared else ():
            fields = line.split("|")
            if len(fields) == LINE_FIELDS and fields[CARD] in expected and fields[self.place] in shared:
                card, value = fields[CARD], fields[self.place]
                reason = f"第 {number} 行（学卡 {card}）：{self._label} {value} 还报给了另一张卡。"
                yield number, LineProblem(number, self._column, self._code, value, reason)


def _settle(
    card: str,
    sent: ExpectedCard,
    numbers: list[int],
    lines: Mapping[int, str],
    duplicate: dict[int, LineProblem],
    defects: dict[int, list[LineProblem]],
) -> None:
    """Several lines on one card, or lines on a settled one: repetitions if they agree, else all altered."""
    said = [_saying(lines[number]) for number in numbers]
    settled = _settled_fields(card, sent)[1:] if sent.settled else None
    if all(saying == (settled or said[0]) for saying in said):
        origin = "以前的回盘文件" if settled else f"第 {numbers[0]} 行"
        for number in numbers if settled else numbers[1:]:
            reason = f"第 {number} 行（学卡 {card}）：与{origin}重复，已忽略。"
            duplicate[number] = LineProblem(number, "line", "LINE_DUPLICATE", card, reason)
        return
    for number in numbers:
        others = [f"第 {other} 行" for other in numbers if other != number][:5]
        against = "、".join(["以前已接收的回盘结果", *others] if settled else others)
        reason = f"第 {number} 行（学卡 {card}）：与{against}说法不一致。"
        problem = LineProblem(number, "line", "LINE_CONTRADICTION", card, reason)
        defects.setdefault(number, []).append(problem)


def _settled_fields(card: str, sent: ExpectedCard) -> tuple[str, ...]:
    """Fields 1 to 7 of the line that settled the card."""
    assert sent.settled is not None
    return ("D", str(sent.sequence), card, *sent.settled)


def _saying(line: str) -> tuple[str, ...]:
    """What a line says of its card: fields 2 to 7; all of it when it has not nine fields."""
    fields = line.split("|")
    return tuple(fields[1:7]) if len(fields) == LINE_FIELDS else (line,)


def _refused(number: int, lines: Mapping[int, str], problems: list[LineProblem]) -> RefusedLine:
    content = lines[number]
    return RefusedLine(number, content.split("|")[CARD], content, tuple(sorted(problems)))
