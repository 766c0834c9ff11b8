"""The audit chain read and proved link by link, beside SM3 over as many short texts.

Ours reads every entry and its seal from the database, makes the canonical form and compares the digest. The
floor hashes eighteen bytes a link and reads nothing.
"""

import os
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from harness import compare
from support.city import start

SIZES = (100_000, 1_000_000)


def prepare(size: int) -> int:
    """A chain of `size` entries in a home of its own, made once."""
    home = Path(os.environ["XUEKA_BENCH_HOME"]) / f"audit-{size}"
    home.mkdir(exist_ok=True)
    home.chmod(0o711)
    os.environ["XUEKA_HOME"] = str(home)
    start()
    from django.db import connection

    from xueka.platform.audit import chain
    from xueka.platform.audit.models import Entry

    missing = size - Entry.objects.count()
    if missing > 0:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO audit_entry (at, actor, actor_name, role, scope, address, action, object_type,
                                         object_id, result, detail)
                SELECT now(), 'wang', '王芳', 'city_operator', 'city', '10.0.0.7', 'batch.lock', 'batch',
                       'B26-' || n, 'done', jsonb_build_object('cards', n, 'by', '王芳')
                  FROM generate_series(1, %s) n
                """,
                [missing],
            )
        chain.seal()
    return size


def ours(size: int) -> None:
    from xueka.platform.audit import chain

    report = chain.verify()
    if report.violated or report.sealed != size:
        raise AssertionError(report.as_dict())


def floor(size: int) -> None:
    first = hashes.Hash(hashes.SM3())
    for number in range(size):
        link = first.copy()
        link.update(b"%018d" % number)
        link.finalize()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="xueka-bench-") as folder:
        Path(folder).chmod(0o711)
        os.environ.setdefault("XUEKA_BENCH_HOME", folder)
        compare("audit_verify", "entries", SIZES, prepare, ours, floor)
