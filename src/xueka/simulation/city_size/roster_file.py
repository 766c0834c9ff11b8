"""The roster of a whole city as a file, written by as many processes as there are, all without Django."""

import csv
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import count, islice
from pathlib import Path
from random import Random

from xueka.simulation import files, people
from xueka.simulation.people import SyntheticSchool

SCHOOL_YEAR = 2025
#: Status in the registration system → of ten thousand students.
_STATUSES = {"借读": 60, "休学": 25, "毕业": 20, "转出": 15, "退学": 5}
_STATUS_OF = [status for status, share in _STATUSES.items() for _ in range(share)]
#: A stride without common factor with the count of eight-digit numbers: every number once, in no order.
_STRIDE, _FIRST, _ROOM = 7_368_787, 10_000_000, 90_000_000


def write(path: Path, seed: int, students: int, city: list[SyntheticSchool]) -> None:
    """One district is one task: identity numbers begin with the district, so no two tasks meet."""
    quotas = _quotas(seed, students, city)
    first = 0
    tasks: list[tuple[Path, str, list[tuple[SyntheticSchool, int]], int]] = []
    for district in sorted({school.district for school in city}):
        inside = [
            (school, quota) for school, quota in zip(city, quotas, strict=True) if school.district == district
        ]
        tasks.append((path.with_suffix(f".{district}"), f"{seed}/{district}", inside, first))
        first += sum(quota for _, quota in inside)
    workers = min(os.cpu_count() or 1, len(tasks)) if students > 20_000 else 1
    if workers > 1:
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            list(pool.map(_write_district, tasks))
    else:
        list(map(_write_district, tasks))
    with path.open("wb") as whole:
        whole.write((",".join(files.ROSTER_HEAD) + "\r\n").encode())
        for part, *_ in tasks:
            with part.open("rb") as file:
                for piece in iter(partial(file.read, 1024 * 1024), b""):
                    whole.write(piece)
            part.unlink()


def _quotas(seed: int, students: int, city: list[SyntheticSchool]) -> list[int]:
    """Schools differ: the largest has four times the students of the smallest."""
    random = Random(f"{seed}/sizes")  # noqa: S311
    weights = [random.uniform(0.5, 2.0) for _ in city]
    edges = [round(students * sum(weights[: n + 1]) / sum(weights)) for n in range(len(city))]
    return [edge - before for before, edge in zip([0, *edges], edges, strict=False)]


def _write_district(task: tuple[Path, str, list[tuple[SyntheticSchool, int]], int]) -> None:
    path, seed, inside, first = task
    random, statuses = Random(seed), Random(f"{seed}/status")  # noqa: S311
    ids, taken = _education_ids(first), set[str]()
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        for school, quota in inside:
            for pupil in people.pupils(random, school, quota, SCHOOL_YEAR, ids, taken):
                place = statuses.randrange(10_000)
                status = _STATUS_OF[place] if place < len(_STATUS_OF) else "在校"
                writer.writerow(files.roster_row(pupil, status))


def _education_ids(first: int) -> Iterator[int]:
    return (_FIRST + place * _STRIDE % _ROOM for place in islice(count(), first, None))
