"""Writes without pause until it is told to stop: each transaction a school, its class and an audit entry."""

import os
import signal
import sys
from itertools import count

os.environ["DJANGO_SETTINGS_MODULE"] = "xueka.config.settings"


def main() -> None:
    from xueka.entrypoints.cli import common

    stop = []
    signal.signal(signal.SIGTERM, lambda number, frame: stop.append(number))
    with common.database():
        from django.db import transaction

        from xueka.contexts.registry.models import School, SchoolClass
        from xueka.platform.audit import chain
        from xueka.platform.audit import services as audit
        from xueka.platform.crypto import keyring
        from xueka.platform.identity.actor import Actor

        keyring.keyring()  # the keys of the fields are made at their first use
        actor = Actor.system("busy")
        for number in count(1):
            with transaction.atomic():
                school = School.objects.create(code=f"21{number:08d}", name=f"{number}", district_id="110101")
                SchoolClass.objects.create(school=school, stage="小学", grade=1, name="1班")
                audit.record(actor, "test.write", "school", school.code)
            if number % 5 == 0:
                chain.seal()
            if number == 20:
                sys.stdout.write("ready\n")
                sys.stdout.flush()
            if stop:
                return


if __name__ == "__main__":
    main()
