"""A recogniser of rows on which no rule has anything to say, so that a million clean rows need not be judged.

It errs on the safe side: whatever it does not recognise is judged by `roster.judge`. What it recognises,
`judge` would accept without a word and without changing a character; a test holds the two together.
"""

import re
from datetime import date
from functools import lru_cache

from xueka.contexts.registry.domain.columns import Layout
from xueka.contexts.registry.domain.roster import CELL_LIMIT, CLASS_LIMIT, NAME_LIMIT, RosterRow, Rules
from xueka.contexts.registry.domain.vocabulary import CITIZEN_ID, STAGES, STATUSES
from xueka.kernel.check_digits import citizen_check
from xueka.kernel.identifiers import citizen_id_problem

_HAN = "\u3400-\u9fff\U00020000-\U000323af"
_HIGHEST = {stage: str(grade) for stage, grade in STAGES.items()}
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
    """Knows one file's layout. `read(text)` gives the row, or None for one that has to be judged.

    `text` is a line whose cells are separated by `separator`, a character that no clean cell contains.
    """

    def __init__(self, layout: Layout, rules: Rules, today: date, separator: str) -> None:
        self._schools = rules.schools
        self._today = today.isoformat()
        patterns = {**_PATTERNS, "education_id": f"(?:{rules.education_id_pattern})"}
        keys = {position: key for key, position in layout.positions.items() if key in patterns}
        columns = [
            f"({patterns[keys[position]]})" if position in keys else f"[^{separator}]*"
            for position in range(layout.width)
        ]
        groups = {key: number for number, key in enumerate((keys[at] for at in sorted(keys)), start=1)}
        self._groups = [groups[key] for key in RosterRow._fields]
        self._match = re.compile(separator.join(columns), re.ASCII).fullmatch

    def read(self, text: str) -> RosterRow | None:
        match = self._match(text)
        if match is None:
            return None
        row = RosterRow._make(match.group(*self._groups))
        _, _, sex, birth_date, _, number, national_number, _, school, stage, grade, _, _, _, _ = row
        if (
            school in self._schools
            and "1" <= grade <= _HIGHEST[stage]
            and number[6:14] == birth_date.replace("-", "")
            and birth_date <= self._today
            and (number[16] in "13579") == (sex == "男")
            and (not national_number or national_number[1:] == number)
            and citizen_check(number[:17]) == number[17]
            and _place_and_day_exist(number[:14])
        ):
            return row
        return None


@lru_cache(maxsize=65536)
def _place_and_day_exist(beginning: str) -> bool:
    """The rest of what GB 11643 asks, once for all who were born in one place on one day."""
    body = f"{beginning}001"
    return citizen_id_problem(body + citizen_check(body)) is None
