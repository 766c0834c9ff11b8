"""`python -m tests.faults.key_rotator LABEL`: rotate a wrapping key, then re-wrap what is under it.

Prints a line for every block, so that whoever watches can kill it after any of them, and `done` at the end.
"""

import sys

from xueka.entrypoints.cli import common


def main(label: str) -> None:
    with common.database():
        from django.db import transaction

        from xueka.contexts.keys import api as keys
        from xueka.contexts.keys.services import rewrapping
        from xueka.platform.identity.actor import Actor
        from xueka.platform.identity.scope import Scope

        first, second = (
            Actor.in_role(name, name, "key_custodian", Scope("city")) for name in ("first", "second")
        )
        if keys.active(label).version == 1:
            with transaction.atomic():
                keys.confirm(second, keys.ask(first, "rotate", label, "试验").number)
        while rewrapping.open_tasks():
            with transaction.atomic():
                rewrapping.step(Actor.system("rotator"), piece=1)
                sys.stdout.write("block\n")
                sys.stdout.flush()
    sys.stdout.write("done\n")


if __name__ == "__main__":
    main(sys.argv[1])
