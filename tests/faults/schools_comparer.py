"""`python -m tests.faults.schools_comparer DATABASE PARTNER POINT`: compare the schools, and die at POINT.

Points: `read N` (school N was compared, nothing of it kept), `before N` and `after N` (commit N of this
process); `end`: to the end. Prints `done`.
"""

import sys
from pathlib import Path

import django

from tests.faults.registry_reader import at, tell


def main(database: str, partner: str, point: str, count: int) -> None:
    django.setup()
    from django.conf import settings
    from django.db import connection
    from django.db.backends.base.base import BaseDatabaseWrapper

    connection.settings_dict["NAME"] = database
    settings.ONEROSTER_PARTNER, settings.ONEROSTER_LIMIT = Path(partner), 20
    from xueka.contexts.interop.services import comparing_schools
    from xueka.contexts.registry import api as registry

    if point == "read":
        registry.compare_school = at(count, registry.compare_school)
    elif point != "end":
        commit = at(count, BaseDatabaseWrapper.commit, before=point == "before")
        BaseDatabaseWrapper.commit = commit  # type: ignore[method-assign]
    comparing_schools.advance()
    tell("done")


if __name__ == "__main__":
    name, *further = sys.argv[3].split()
    main(sys.argv[1], sys.argv[2], name, int(further[0]) if further else 1)
