"""A student by identity number, by the beginning and by a part of the name, among 1.3 million.

Ours goes through the registry's queries under a scope, to model objects with school and class. The floor is
the bare statement of each along the same index, through psycopg, the blind index computed beforehand.
"""

import itertools
import os
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from support.city import Call, compare_calls

SIZES = (130_000, 1_300_000)
CALLS = 300
PREFIXES, PARTS = (
    ("王子", "李梓", "欧阳", "赵一", "陈思", "单于"),
    ("子涵", "梓萱", "浩然", "明轩", "星辰", "乐瑶"),
)


def ours_by_document(size: int) -> Iterator[Call]:
    from xueka.contexts.registry import api as registry
    from xueka.platform.identity.scope import EVERYWHERE

    for number in itertools.cycle(_documents()):
        yield partial(registry.find_by_id_number, EVERYWHERE, number)


def floor_by_document(size: int) -> Iterator[Call]:
    from xueka.contexts.registry.domain.vocabulary import CITIZEN_ID, id_key
    from xueka.platform.crypto.fields import blind_index

    indexes = [blind_index("id_number", id_key(CITIZEN_ID, number)) for number in _documents()]
    return _statements(
        "SELECT id, name FROM registry_student WHERE id_index = %s", [(each,) for each in indexes]
    )


def ours_by_beginning(size: int) -> Iterator[Call]:
    return _named(PREFIXES)


def floor_by_beginning(size: int) -> Iterator[Call]:
    statement = "SELECT id, name FROM registry_student WHERE name LIKE %s ORDER BY name, id LIMIT 5"
    return _statements(statement, [(f"{prefix}%",) for prefix in PREFIXES])


def ours_by_part(size: int) -> Iterator[Call]:
    return _named(PARTS)


def floor_by_part(size: int) -> Iterator[Call]:
    statement = """SELECT id, name FROM registry_student WHERE registry_pairs(name) @> %s::text[]
                    ORDER BY name, id LIMIT 5"""
    return _statements(statement, [([part],) for part in PARTS])


def _named(texts: tuple[str, ...]) -> Iterator[Call]:
    from xueka.contexts.registry import api as registry
    from xueka.platform.identity.scope import EVERYWHERE

    for text in itertools.cycle(texts):
        yield partial(registry.students_named, EVERYWHERE, text, 5)


def _statements(statement: str, values: list[tuple[object, ...]]) -> Iterator[Call]:
    import psycopg

    from xueka.platform.database import address

    connection = psycopg.connect(**address.parameters(address.Role.APPLICATION), autocommit=True)
    cursor = connection.cursor()
    for each in itertools.cycle(values):
        yield lambda each=each: cursor.execute(statement, each).fetchall()


def _documents() -> list[str]:
    from xueka.contexts.registry.api import Student
    from xueka.platform.crypto.fields import unseal

    some = Student.objects.order_by("id")[:: max(1, Student.objects.count() // 200)]
    return [unseal(bytes(student.envelope))["id_number"] for student in some]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="xueka-bench-") as folder:
        Path(folder).chmod(0o711)
        os.environ.setdefault("XUEKA_BENCH_HOME", folder)
        for job, ours, floor in (
            ("search by identity number", ours_by_document, floor_by_document),
            ("search by the beginning of a name", ours_by_beginning, floor_by_beginning),
            ("search by a part of a name", ours_by_part, floor_by_part),
        ):
            compare_calls(job, "searches", SIZES, CALLS, ours, floor)
