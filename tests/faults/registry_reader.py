"""`python -m tests.faults.registry_reader DATABASE PARTNER NUMBER POINT`: walk a fetch, and die at POINT.

Points: `read N` (answer N is read, nothing of it kept), `before N` and `after N` (commit N of this process),
`applied` (students are changed, links are not kept), `linked` (these, too; nobody is noted as missing),
`judged` (the differences are known and found to be in order); `end`: to the end. Prints a line when it
begins, one for each page that is kept, and `done`.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def at(count: int, work: Callable[..., Any], *, before: bool = False) -> Callable[..., Any]:
    """`work`, with which its call number `count` is the last thing this process does."""
    left = [count]

    def deadly(*told: Any, **named: Any) -> Any:
        left[0] -= 1
        if before and not left[0]:
            die()
        done = work(*told, **named)
        if not left[0]:
            die()
        return done

    return deadly


def arm(point: str, count: int) -> None:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from xueka.contexts.registry.importing.staging import Staging
    from xueka.contexts.registry.oneroster import fetching, links
    from xueka.contexts.registry.oneroster.registry_client import RegistryClient

    match point:
        case "read":
            RegistryClient.page = at(count, RegistryClient.page)  # type: ignore[method-assign]
        case "before" | "after":
            commit = at(count, BaseDatabaseWrapper.commit, before=point == "before")
            BaseDatabaseWrapper.commit = commit  # type: ignore[method-assign]
        case "applied":
            Staging.settle = at(1, Staging.settle)  # type: ignore[method-assign]
        case "linked":
            links.keep_links = at(1, links.keep_links)
        case "judged":
            fetching.doubt_of = at(1, fetching.doubt_of)


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(database: str, partner: str, number: int, point: str, count: int) -> None:
    django.setup()
    from django.conf import settings
    from django.db import connection

    connection.settings_dict["NAME"] = database
    settings.ONEROSTER_PARTNER, settings.ONEROSTER_LIMIT = Path(partner), 20
    from xueka.contexts.registry.models import OneRosterFetch
    from xueka.contexts.registry.oneroster import fetching

    arm(point, count)
    tell("begun")
    for _ in range(20):
        fetching.advance(number, say=lambda _: tell("page"))
        if OneRosterFetch.objects.get(id=number).ended_at:
            return tell("done")
    raise AssertionError(OneRosterFetch.objects.get(id=number).problem)


if __name__ == "__main__":
    name, *further = sys.argv[4].split()
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), name, int(further[0]) if further else 1)
