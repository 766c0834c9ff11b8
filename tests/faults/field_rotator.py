"""`python -m tests.faults.field_rotator`: rotate the field key, then make every envelope anew.

Prints a line for every piece before it is committed, so that whoever watches can kill it inside any of them,
and `done` when the version before is retired.
"""

import sys
import time

from xueka.entrypoints.cli import common


def main() -> None:
    with common.database():
        from django.db import transaction

        from xueka.contexts.keys import api as keys
        from xueka.platform.crypto.sealed_columns import SealedColumn
        from xueka.platform.identity.actor import Actor
        from xueka.platform.identity.scope import Scope

        def told(column: SealedColumn, rows: int) -> None:
            sys.stdout.write(f"{column.table} {rows}\n")
            sys.stdout.flush()

        city = Scope("city")
        first, second = (Actor.in_role(name, name, "key_custodian", city) for name in ("first", "second"))
        if keys.active("platform.fields").version == 1 and keys.field_rotation(city) is None:
            with transaction.atomic():
                keys.confirm(second, keys.ask(first, "rotate", "platform.fields", "试验").number)
        while keys.field_rotation(city) is not None:
            keys.finish_fields(Actor.system("rotator"), told)
            time.sleep(0.05)
    sys.stdout.write("done\n")


if __name__ == "__main__":
    main()
