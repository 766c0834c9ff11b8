"""Whatever a school looks like: promotion (or graduation) and taking it back is as if nothing had been."""

import random

import pytest

from tests.support.size import dial
from tests.unit.schoolyear.conftest import FIRST, City, digest, done, run, violated
from xueka.contexts.registry import api as registry
from xueka.contexts.schoolyear import api as year
from xueka.kernel.errors import Refused

STAGES = {"小学": 6, "初中": 4}


@pytest.mark.parametrize("seed", range(dial(3, 60)))
def test_there_and_back_is_the_identity(town: City, seed: int) -> None:
    print(f"seed {seed}")
    dice = random.Random(seed)
    _people(dice, town)
    kind = dice.choice(["promotion", "promotion", "graduation"])
    before = digest()
    try:
        job = done(kind)
    except Refused as refusal:  # chance made a city in which nobody may go
        assert refusal.code == "YEAR_NOTHING"
        return
    after = digest()
    assert after != before
    assert violated() == []
    year.take_back_job(FIRST, job.number, f"seed {seed}")
    run(job)
    figures = year.figures(FIRST.scope, job)
    assert (figures.kept, figures.undone) == (0, figures.planned - figures.skipped)
    assert digest() == before
    assert violated() == []
    # A second time leads to the same place.
    done(kind)
    assert digest() == after


def _people(dice: random.Random, town: City) -> None:
    for _ in range(dice.randint(2, 6)):
        school = dice.randrange(3)
        stage = dice.choice([one for one in town.schools[school].stages if one in STAGES])
        if dice.random() < 0.3:
            registry.set_schooling(FIRST, town.schools[school].code, dice.choice(list(registry.SCHOOLINGS)))
            town.schools[school].refresh_from_db()
        grade = dice.randint(1, registry.last_grade(town.schools[school].schooling, stage))
        for student in town.pupils(
            stage, grade, dice.randint(1, 3), school=school, name=f"{dice.randint(1, 2)}班"
        ):
            if dice.random() < 0.15:
                where = registry.student(FIRST.scope, student).school_class_id
                status = dice.choice(["休学", "借读", "退学"])
                registry.move_students(
                    town.system, registry.Moves([student], [where], ["在校"], [where], [status]), "status"
                )
            elif dice.random() < 0.3:
                choice, value = dice.choice(
                    [("repeat", ""), ("leave", "转出"), ("leave", "退学"), ("class", "9班")]
                )
                year.choose(town.system, student, choice, value)
