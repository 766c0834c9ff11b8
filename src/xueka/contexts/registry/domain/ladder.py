"""The ladder of grades: how many a stage has under each schooling (学制), and which step follows which."""

from typing import NamedTuple

DEFAULT_SCHOOLING = "six_three"

SCHOOLINGS = {
    "six_three": ("六三学制", {"小学": 6, "初中": 3, "高中": 3}),
    "five_four": ("五四学制", {"小学": 5, "初中": 4, "高中": 3}),
}
"""Code → (label, grades of each stage). The five-four schooling gives junior secondary the year."""

STARTING_GRADE = 1
FIRST_TERM_ENDS = (1, 31)
"""Month and day; the school year begins on 1 September."""


class Rung(NamedTuple):
    """A step of the ladder: stage and grade within it."""

    stage: str
    grade: int


def last_grade(schooling: str, stage: str) -> int:
    """The graduating grade of a stage."""
    return SCHOOLINGS[schooling][1][stage]


def next_rung(schooling: str, rung: Rung) -> Rung | None:
    """One grade up within the stage; None for the graduating grade, which does not promote."""
    return Rung(rung.stage, rung.grade + 1) if rung.grade < last_grade(schooling, rung.stage) else None


def next_stage(stage: str, offered: list[str]) -> Rung | None:
    """The first grade of the stage that follows, where the school offers it (九年一贯制 and the like)."""
    order = list(SCHOOLINGS[DEFAULT_SCHOOLING][1])
    following = order[order.index(stage) + 1 :][:1]
    return Rung(following[0], STARTING_GRADE) if following and following[0] in offered else None


def timing_warnings(schooling: str, rung: Rung, month: int, day: int) -> list[str]:
    """What speaks against a transfer at this time of the year (Beijing's rule of 2014, domain facts §1.2)."""
    found = []
    first_term = month >= 9 or (month, day) <= FIRST_TERM_ENDS
    if rung.grade == STARTING_GRADE and first_term:
        found.append("starting_grade")
    if rung.grade >= last_grade(schooling, rung.stage):
        found.append("graduating_grade")
    return found


TIMING = {
    "starting_grade": "起始年级第一学期一般不办转学。",
    "graduating_grade": "毕业年级一般不办转学。",
}
