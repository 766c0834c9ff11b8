"""The people of a whole city, written as the registration system would export them, and imported."""

import mmap
import tempfile
from pathlib import Path
from random import Random

from django.db import transaction

from xueka.contexts.registry import api as registry
from xueka.kernel.errors import XuekaError
from xueka.platform.database import home
from xueka.simulation import files, people, staff
from xueka.simulation.city_size import roster_file
from xueka.simulation.city_size.bulk import dice, execute


def move_in(seed: int, students: int, schools: int) -> int:
    """Schools and students by the product's own import; returns how many students came."""
    city = people.schools(Random(f"{seed}/schools"), schools)  # noqa: S311
    operator = staff.operator("a")
    with transaction.atomic():
        registry.import_schools(operator, files.schools_csv(city), "schools.csv")
    with tempfile.TemporaryDirectory(dir=home.made_home(), prefix="city-") as folder:
        path = Path(folder) / "roster.csv"
        roster_file.write(path, seed, students, city)
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
            transaction.atomic(),
        ):
            report = registry.import_roster(operator, content, "roster.csv")
    if report.rejected or report.created != students:
        raise XuekaError("CITY_ROSTER", f"合成名册有 {report.rejected} 行被退回。")
    _campuses(seed)
    execute("ANALYZE registry_student, registry_school, registry_schoolclass")
    return report.created


def _campuses(seed: int) -> None:
    """One school in thirty is a campus of another one of its district."""
    campus, main = (dice(seed, "campus", f"{one}.id", 30) for one in "co")
    execute(
        f"""
        UPDATE registry_school c SET main_school_id = m.id, campus_name = '东校区'
          FROM registry_school m
         WHERE {campus} = 0 AND m.id = (SELECT min(o.id) FROM registry_school o
                                         WHERE o.district_id = c.district_id AND {main} <> 0)
        """  # noqa: S608
    )
