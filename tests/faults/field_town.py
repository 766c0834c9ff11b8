"""`python -m tests.faults.field_town`: a home with sealed values that are read and written until SIGTERM.

Prints `ready` when all are there, and at the end one line of JSON: how often each was done, what failed.
"""

import json
import random
import signal
import sys

from tests.support.size import dial
from xueka.entrypoints.cli import common

PEOPLE = dial(300, 6000)


def main() -> None:
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.append(number))
    chance = random.Random(7)
    with common.database():
        from django.db import transaction

        from xueka.contexts.keys import api as keys
        from xueka.kernel import clock
        from xueka.kernel.errors import XuekaError
        from xueka.platform.crypto import fields
        from xueka.platform.files import services as files
        from xueka.platform.identity.actor import Actor
        from xueka.platform.identity.models import User

        system = Actor.system("town")
        now = clock.now()
        with transaction.atomic():
            User.objects.bulk_create(
                User(
                    username=f"u{number}", name="试验", created_at=now, password_changed_at=now,
                    envelope=fields.seal({"number": number, "changes": 0}),
                )
                for number in range(PEOPLE)
            )  # fmt: skip
            keys.note_platform_keys(system)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        changes, stored, failed = [0] * PEOPLE, 0, list[str]()
        while not stopped:
            number = chance.randrange(PEOPLE)
            try:
                with transaction.atomic():
                    found = User.objects.select_for_update().get(username=f"u{number}")
                    values = fields.unseal(bytes(found.envelope or b""))
                    if values != {"number": number, "changes": changes[number]}:
                        failed.append(f"u{number}: {values}")
                    found.envelope = fields.seal({**values, "changes": changes[number] + 1})
                    found.save(update_fields=["envelope"])
                changes[number] += 1
                if chance.random() < 0.02:
                    with transaction.atomic():
                        files.store(system, "x.txt", "text/plain", str(stored).encode(), personal=True)
                    stored += 1
            except XuekaError as refusal:
                failed.append(refusal.code)
        with transaction.atomic():
            for number in range(PEOPLE):
                user = User.objects.get(username=f"u{number}")
                if fields.unseal(bytes(user.envelope or b""))["changes"] != changes[number]:
                    failed.append(f"u{number} lost a change")
        told = {"changes": sum(changes), "stored": stored, "failed": failed}
        sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
