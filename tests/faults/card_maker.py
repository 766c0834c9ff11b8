"""`python -m tests.faults.card_maker`: a home with many keys, whose cards are being made until SIGTERM.

Prints `ready` when the first card has its keys, and at the end one line of JSON: how many cards, what failed.
"""

import json
import signal
import sys

from xueka.entrypoints.cli import common

KEYS = 18


def main() -> None:
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.append(number))
    with common.database():
        from django.db import transaction

        from xueka.contexts.keys import api as keys
        from xueka.kernel.errors import XuekaError
        from xueka.platform.identity.actor import Actor
        from xueka.platform.identity.scope import Scope

        first, second = (
            Actor.in_role(name, name, "key_custodian", Scope("city")) for name in ("first", "second")
        )
        system = Actor.system("maker")

        def change(kind: str, label: str, /, **params: object) -> None:
            with transaction.atomic():
                keys.confirm(second, keys.ask(first, kind, label, "试验", params).number)

        with transaction.atomic():
            keys.make_demo_keys()
        labels = [f"load.k{number}" for number in range(KEYS)]
        for label in labels:
            change("register", label, title=label, kind="control", algorithm="3des", usages=["diversify"],
                   parent="kek.card")  # fmt: skip
            change("generate", label)
            change("activate", label, version=1)
        made, failed = 0, list[str]()
        while not stopped:
            wanted = [(labels[(made + step) % KEYS], None) for step in range(6)]
            try:
                with transaction.atomic():
                    found = keys.card_keys(
                        system, wanted, [made.to_bytes(8, "big")], purpose="x", subject=str(made)
                    )
                made += len(found) == 6
            except XuekaError as refusal:
                failed.append(refusal.code)
            if made == 1:
                sys.stdout.write("ready\n")
                sys.stdout.flush()
        sys.stdout.write(json.dumps({"made": made, "failed": failed}) + "\n")


if __name__ == "__main__":
    main()
