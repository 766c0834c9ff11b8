"""A return file of a million lines as the system takes it, beside a polars join of its columns.

Ours is `import_return` as a rehearsal: it verifies the signature, checks digest, head, trailer and totals,
reads what was sent from the database, judges every field of every line and looks for repetitions and shared
chips. The floor reads the same lines and joins them with the same columns, and nothing else. `applied` is the
same file put into effect: every card, its place in the batch and its history are written, the file is kept.
"""

import hashlib
import io
import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import line
import polars
from harness import compare, in_child

from xueka.platform.crypto.sm2 import PrivateKey

SIZES = (100_000, 1_000_000)
CODES = ("00", "01", "02", "03", "04", "05", "99")


class Case(NamedTuple):
    """A batch and its return file; `sent` is where its columns lie for the floor."""

    batch: str
    content: bytes
    sent: Path


def prepare(size: int) -> Case:
    """A batch that was sent, and its return file. Making them is another process's work and peak."""
    folder = Path(os.environ["XUEKA_HOME"]) / f"case-{size}"
    if not folder.exists():
        in_child(_make, size, folder)
    line.open_line()
    _new_bureau_key(folder)
    return Case((folder / "batch").read_text(), (folder / "content").read_bytes(), folder / "sent")


def ours(case: Case) -> None:
    _take(case, dry_run=True)


def applied(case: Case) -> None:
    """Undone at the end, so that the next round finds the batch as it was."""
    from django.db import transaction

    with transaction.atomic():
        _take(case, dry_run=False)
        transaction.set_rollback(True)


def _take(case: Case, *, dry_run: bool) -> None:
    from django.db import transaction
    from tests.unit.production.conftest import FIRST

    from xueka.contexts.production import api as production

    with transaction.atomic():
        report = production.import_return(FIRST, case.content, f"XKR_{case.batch}_1.zip", case.batch, dry_run)
    if report.errors or not report.matched == report.lines > 0:
        raise AssertionError(report.as_dict())


def floor(case: Case) -> None:
    with zipfile.ZipFile(io.BytesIO(case.content)) as archive:
        body = archive.read("returns.txt")
    said = polars.read_csv(
        body, separator="|", has_header=False, skip_rows=1, infer_schema=False, truncate_ragged_lines=True
    )
    sent = polars.read_ipc(case.sent)
    joined = said.join(sent, left_on="column_2", right_on="number")
    good = joined.filter(
        (polars.col("column_3") == polars.col("transit")) & (polars.col("column_4") == polars.col("tong"))
    )
    if good.height != sent.height:
        raise AssertionError(good.height)


def _make(size: int, folder: Path) -> None:
    """A batch of `size` ordered cards by COPY, a package of other content, and the bureau's file."""
    line.open_line()
    from django.db import connection, transaction
    from tests.unit.production.conftest import FIRST

    from xueka.contexts.production.domain.bureau.records import package_name
    from xueka.contexts.production.services.partners import keys_in_force
    from xueka.kernel.identifiers import card_number
    from xueka.platform.files import services as files

    folder.mkdir()
    number = f"R26-{size}"
    applications = line.children(size)
    first = applications[0]
    cards = [
        (first + n, card_number(2026, first + n), f"1000{first + n:012d}", f"BJT{first + n:011d}", n)
        for n in range(size)
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO production_batch (number, kind_id, state, state_at, title, created_by, created_at,"
            " locked_by, locked_at, approved_by, approved_at, card_count, build_error) VALUES"
            " (%s, %s, 'sent', now(), '', 'a', now(), 'a', now(), 'b', now(), %s, '') RETURNING id",
            [number, line.KIND, size],
        )
        (batch_id,) = cursor.fetchone()
        cursor.execute(
            "CREATE TEMP TABLE made (id bigint, number text, transit text, tong text, place int)"
            " ON COMMIT DROP"
        )
        line.copy(
            "made",
            ["id", "number", "transit", "tong", "place"],
            ["int8", "text", "text", "text", "int4"],
            cards,
        )
        cursor.execute(_CARDS)
        cursor.execute(_ITEMS, [batch_id])
        cursor.execute("UPDATE cards_application SET state = 'in_production' WHERE id >= %s", [first])
        package = files.store(FIRST, package_name(number, 1), "application/zip", number.encode())
        cursor.execute(
            "INSERT INTO production_package (batch_id, attempt, file_id, keys_id, sha256, state, built_at,"
            " tries, last_error, started_at, sent_at, acknowledgement)"
            " VALUES (%s, 1, %s, %s, '', 'sent', now(), 1, '', now(), now(), '{}')",
            [batch_id, package.id, keys_in_force().id],
        )
    polars.DataFrame(
        [card[1:4] for card in cards], schema=["number", "transit", "tong"], orient="row"
    ).write_ipc(folder / "sent")
    lines = [
        f"D|{n + 1}|{card}|{transit}|{tong}|04{id_:012X}|00|2026090{1 + n % 9}1{n % 9}{n % 60:02d}30|"
        for id_, card, transit, tong, n in cards
    ]
    body = "\r\n".join(
        [f"H|XKRET|1.0|{number}|1|{size}", *lines, f"T|{size}|{size}|0|0|0|0|0|0", ""]
    ).encode()
    key = PrivateKey.generate()
    (folder / "key").write_bytes(key.to_pem())
    (folder / "batch").write_text(number)
    (folder / "content").write_bytes(_package(number, body, size, key, bytes(package.sm3).hex()))


def _new_bureau_key(folder: Path) -> None:
    """The bureau has told us the key that has signed this file."""
    from tests.unit.production.conftest import ENCRYPTION, introduce

    introduce("bureau", PrivateKey.from_pem((folder / "key").read_bytes()), ENCRYPTION)


_CARDS = """
INSERT INTO cards_card (id, number, account_id, student_id, kind_id, application_id, state, transit_number,
    beijing_tong_number, chip_uid, school_id, school_class_id, valid_from, valid_until, created_at, state_at)
OVERRIDING SYSTEM VALUE
SELECT nextval(pg_get_serial_sequence('cards_card', 'id')), m.number, a.account_id, t.student_id, a.kind_id,
       a.id, 'ordered', m.transit, m.tong, '', a.school_id, a.school_class_id, current_date,
       current_date + 4000, now(), now()
  FROM made m JOIN cards_application a ON a.id = m.id JOIN cards_cardaccount t ON t.id = a.account_id
 ORDER BY m.id
"""
_ITEMS = """
INSERT INTO production_batchitem (batch_id, position, application_id, card_id, outcome, result_code,
    result_text, reported)
SELECT %s, m.place + 1, m.id, c.id, 'pending', '', '', ''
  FROM made m JOIN cards_card c ON c.application_id = m.id ORDER BY m.id
"""


def _package(batch: str, body: bytes, size: int, key: PrivateKey, package_sm3: str) -> bytes:
    said: dict[str, Any] = {
        "format": "XKRETURN",
        "version": "1.0",
        "batch": batch,
        "return": 1,
        "package_sm3": package_sm3,
        "final": True,
        "lines": size,
        "results": {code: size if code == "00" else 0 for code in CODES},
        "returns": {"name": "returns.txt", "size": len(body), "sm3": hashlib.new("sm3", body).hexdigest()},
        "created_at": "2026-09-03T18:00:00+08:00",
        "signer": key.public.fingerprint,
    }
    manifest = json.dumps(said).encode()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", manifest)
        archive.writestr("manifest.sig", key.sign(manifest))
        archive.writestr("returns.txt", body)
    return target.getvalue()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="xueka-bench-") as home:
        Path(home).chmod(0o711)  # the database server may run as another user
        os.environ["XUEKA_HOME"] = home
        compare(
            "return file, checked and matched", "lines", SIZES, prepare, ours, floor, {"applied": applied}
        )
