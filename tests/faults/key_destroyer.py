"""`python -m tests.faults.key_destroyer POINT`: destroy the first version of the local key, and die at POINT.

Points, in the order in which they come: `decided` (before the decision is committed), `committed` (before the
store is asked), `gone` (out of the store, not on record yet). `end`: to the end. Prints what it found as one
JSON object before it goes on, and what it left at the end.
"""

import json
import os
import signal
import sys
from typing import Any

from xueka.entrypoints.cli import common

LABEL = "local"


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(point: str) -> None:
    with common.database():
        from django.db import transaction

        from xueka.contexts.keys import api as keys
        from xueka.contexts.keys import jobs
        from xueka.contexts.keys.services import removing, stores
        from xueka.platform.identity.actor import Actor
        from xueka.platform.identity.scope import Scope

        system = Actor.system("destroyer")
        first, second = (
            Actor.in_role(name, name, "key_custodian", Scope("city")) for name in ("first", "second")
        )

        def changed(kind: str, dies: bool = False, **params: int) -> None:
            with transaction.atomic():
                keys.confirm(second, keys.ask(first, kind, LABEL, "试验", params).number)
                if dies:
                    die()

        def tell() -> None:
            local = stores.sealed("software")
            stored = local._read() if local else None
            told = {
                "state": keys.version(system.scope, LABEL, 1).state,
                "stored": sorted(stored["keys"]) if stored else [],
                "open": len(removing.open_removals()),
                "findings": [each.what for each in keys.verify(system).findings],
                "violated": [each.name for each in keys.INVARIANTS if check(each).violated],
            }
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()

        from xueka.platform.invariants import check

        with transaction.atomic():
            keys.make_demo_keys()
        if keys.active(LABEL).version == 1:
            changed("rotate")
            keys.finish_rewrapping(system)
            changed("retire", version=1)
        tell()
        if keys.version(system.scope, LABEL, 1).state != "destroyed":
            changed("destroy", dies=point == "decided", version=1)
        if point == "committed":
            die()
        if point == "gone":
            removing._note = die  # type: ignore[assignment]
        jobs.remove()
        tell()


if __name__ == "__main__":
    main(sys.argv[1])
