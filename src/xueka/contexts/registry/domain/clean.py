"""A recogniser of rows on which no rule has anything to say, so that a million clean rows need not be judged.

It errs on the safe side: whatever it does not recognise is judged by `roster.judge`. What it recognises,
`judge` would accept without a word and without changing a character; a test holds the two together.
"""

import re
from collections.abc import Sequence
from datetime import date

from xueka.contexts.registry.domain.columns import Layout
from xueka.contexts.registry.domain.roster import CELL_LIMIT, CLASS_LIMIT, NAME_LIMIT, RosterRow, Rules
from xueka.contexts.registry.domain.vocabulary import CITIZEN_ID, STAGES, STATUSES
from xueka.kernel.identifiers import citizen_id_problem

SEPARATOR = "\x1f"

_HAN = "\u3400-\u9fff\U00020000-\U000323af"
_ANY = f"[^{SEPARATOR}]*"
_PATTERNS = {
    "school_code": r"\d{10}",
    "stage": "|".join(STAGES),
    "grade": r"\d",
    "class_name": rf"[{_HAN}0-9A-Za-z()（）]{{1,{CLASS_LIMIT}}}",
    "name": rf"[{_HAN}·]{{1,{NAME_LIMIT}}}",
    "sex": "[男女]",
    "birth_date": r"\d{4}-\d\d-\d\d",
    "id_type": CITIZEN_ID,
    "id_number": r"\d{17}[\dX]",
    "national_number": r"(?:G\d{17}[\dX])?",
    "status": "|".join(STATUSES),
    "guardian_name": rf"[{_HAN}·]{{0,{NAME_LIMIT}}}",
    "guardian_phone": r"(?:1[3-9]\d{9})?",
    "address": rf"[{_HAN}0-9A-Za-z()（）-]{{0,{CELL_LIMIT}}}",
}


class Recogniser:
    """Knows one file's layout. `read(cells)` gives the row, or None for one that has to be judged."""

    def __init__(self, layout: Layout, rules: Rules, today: date) -> None:
        self._schools = rules.schools
        self._today = today.isoformat()
        patterns = {**_PATTERNS, "education_id": rules.education_id_pattern}
        keys = {position: key for key, position in layout.positions.items()}
        columns = [
            f"(?P<{keys[position]}>{patterns[keys[position]]})" if keys.get(position) in patterns else _ANY
            for position in range(layout.width)
        ]
        self._match = re.compile(SEPARATOR.join(columns), re.ASCII).fullmatch

    def read(self, cells: Sequence[str]) -> RosterRow | None:
        match = self._match(SEPARATOR.join(cells))
        if match is None:
            return None
        row = RosterRow._make(match.group(*RosterRow._fields))
        number, birth_date = row.id_number, row.birth_date
        if (
            row.school_code in self._schools
            and "1" <= row.grade <= str(STAGES[row.stage])
            and number[6:10] == birth_date[:4]
            and number[10:12] == birth_date[5:7]
            and number[12:14] == birth_date[8:]
            and birth_date <= self._today
            and ("男" if number[16] in "13579" else "女") == row.sex
            and (not row.national_number or row.national_number[1:] == number)
            and citizen_id_problem(number) is None
        ):
            return row
        return None
