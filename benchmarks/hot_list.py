"""The whole hot-list of a city as a partner downloads it, beside the bare COPY of the same lines.

60,000 cards are 3 % of the two million of a city. Ours writes the same lines with head and end and signs
them as they pass (SM2 over SM3); the floor throws away what the database sends.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from harness import compare
from support.city import start

SIZES = (60_000, 600_000)


def prepare(size: int) -> Any:
    """A list of `size` cards in a home of its own, made once; the part of the city asked for."""
    home = Path(os.environ["XUEKA_BENCH_HOME"]) / f"hot-list-{size}"
    home.mkdir(exist_ok=True)
    home.chmod(0o711)
    os.environ["XUEKA_HOME"] = str(home)
    start()
    import psycopg

    from xueka.contexts.multiapp import api as multiapp
    from xueka.contexts.multiapp.models import HotCard
    from xueka.platform.database import address
    from xueka.platform.database.address import Role

    if not HotCard.objects.exists():
        with psycopg.connect(**address.parameters(Role.OWNER)) as owner:
            # The cards themselves are not needed here.
            found = owner.execute(
                "SELECT conname FROM pg_constraint"
                " WHERE conrelid = 'multiapp_hotcard'::regclass AND contype = 'f'"
            ).fetchall()
            for (name,) in found:
                owner.execute(f'ALTER TABLE multiapp_hotcard DROP CONSTRAINT "{name}"')
            owner.execute(
                """
                INSERT INTO multiapp_hotcard
                       (card_id, version, state, number, chip_uid, kind_id, school_id, at)
                SELECT n, n, 'lost', lpad(n::text, 12, '0'), upper(lpad(to_hex(n), 14, '0')), 'bjt_student',
                       n %% 1867, now()
                  FROM generate_series(1, %s) n
                """,
                [size],
            )
            owner.execute(
                """
                INSERT INTO multiapp_hotlist
                       (id, version, floor, read_up_to, pending_up_to, pending_xid, at)
                VALUES (1, %s, 0, 0, 0, 0, now())
                """,
                [size],
            )
            owner.commit()
            owner.autocommit = True
            owner.execute("VACUUM ANALYZE multiapp_hotcard")
    multiapp.public_key()  # the sealed key file is opened once in a process
    return multiapp.Reach((("bjt_student", None),))


def ours(part: Any) -> None:
    from xueka.contexts.multiapp import serving

    last = b""
    for piece in serving.lines_of("full", part, serving.head(), 0):
        last = piece
    if not last.startswith(b"SIG\t"):
        raise AssertionError(last)


def floor(part: Any) -> None:
    from django.db import connection

    from xueka.contexts.multiapp import serving

    with connection.cursor() as cursor, cursor.copy(serving.statement(part, "full", 0)) as copy:
        for _ in copy:
            pass


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="xueka-bench-") as folder:
        Path(folder).chmod(0o711)
        os.environ.setdefault("XUEKA_BENCH_HOME", folder)
        compare("hot_list", "cards", SIZES, prepare, ours, floor)
