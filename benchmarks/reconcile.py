"""A week's reconciliation of a million orders, beside polars over the same columns.

Ours is `find` of the treasury: a full join of four sides in the server (orders, channel lines, confirmations,
books), every row that does not agree fetched and judged by name. The floor reads orders, channel and finance
as CSV, joins the three and keeps what differs; it knows no books and names nothing. One payment in two
hundred has a break at the channel. The floor reads its files, ours has its tables already: `with_load` brings
lines and confirmations in from the same files first. Ours does not join what agrees as a whole: in
`all_sides_differ` a confirmation and an entry in the books differ as well, so that all four are joined.
"""

import os
import random
import tempfile
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import polars
import psycopg
from harness import compare

SIZES = (100_000, 1_000_000)
FIRST, DAYS = date(2026, 10, 12), 7
#: As the system's own tables: what others speak of is looked up.
INDEXED = {
    "ours": ("id", "number", "pay_code"),
    "theirs": ("id", "number"),
    "confirmed": ("pay_code",),
    "booked": ("number",),
}
_open = ExitStack()


class Case(NamedTuple):
    """Where the four tables are, the files for the floor, and how many breaks there must be."""

    sides: Any
    folder: Path
    breaks: int


def prepare(size: int) -> Case:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "xueka.config.settings")
    from xueka.entrypoints.cli import common

    _open.enter_context(common.database())
    from django.db import connection
    from tests.faults.reconciliation import COLUMNS, TYPES

    from xueka.contexts.treasury.adapters.set_matching import Sides
    from xueka.platform.database import address
    from xueka.platform.database.copy import copy_rows

    folder = Path(os.environ["XUEKA_HOME"]) / f"case-{size}"
    folder.mkdir(exist_ok=True)
    dice = random.Random(size)
    broken = set(dice.sample(range(size), size // 200))
    # Tables as the system's are: the server shares work on temporary ones with no helper.
    with psycopg.connect(**address.parameters(address.Role.OWNER), autocommit=True) as owner:
        for side, names in COLUMNS.items():
            shape = ", ".join(f'"{name}" {TYPES.get(name, "text")}' for name in names)
            owner.execute(f"DROP TABLE IF EXISTS bench_{side}")
            owner.execute(f"CREATE TABLE bench_{side} ({shape})")
            owner.execute(f"GRANT ALL ON bench_{side} TO PUBLIC")

    def rows(side: str) -> Any:
        for n in range(size):
            day = FIRST + timedelta(days=n % DAYS)
            number, id_, code, fen = (
                f"XK{n:014d}P01",
                f"4200{n:020d}",
                f"11000026{n:012d}",
                1500 + n % 3 * 500,
            )
            if side == "ours":
                yield (
                    "nontax",
                    "payment",
                    id_,
                    number,
                    f"XK{n:014d}",
                    fen,
                    day,
                    "succeeded",
                    "direct",
                    code,
                    False,
                )
            elif side == "theirs":
                yield ("nontax", "payment", id_, number, fen + (n in broken), day, n)
            elif side == "confirmed":
                yield (code, f"T{n}", id_, fen, day)
            else:
                yield ("nontax", "payment", number, fen, day)

    for side, names in COLUMNS.items():
        copy_rows(connection, f"bench_{side}", names, rows(side))
        polars.DataFrame(list(rows(side)), schema=list(names), orient="row").write_csv(folder / f"{side}.csv")
    with psycopg.connect(**address.parameters(address.Role.OWNER), autocommit=True) as owner:
        for side, columns in INDEXED.items():
            for column in columns:
                owner.execute(f"CREATE INDEX ON bench_{side} ({column})")
            owner.execute(f"VACUUM (ANALYZE) bench_{side}")  # as tables are after a week
    sides = Sides(*(f"SELECT * FROM bench_{side}" for side in COLUMNS))
    return Case(sides, folder, len(broken))


def prepare_all_sides(size: int) -> Case:
    from xueka.platform.database import address

    case = prepare(size)
    with psycopg.connect(**address.parameters(address.Role.OWNER), autocommit=True) as owner:
        for side in ("confirmed", "booked"):
            owner.execute(f"UPDATE bench_{side} SET fen = fen + 1 WHERE ctid = '(0,1)'")
    return case._replace(breaks=case.breaks + 2)


def with_load(case: Case) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        for side in ("theirs", "confirmed"):
            cursor.execute(f"TRUNCATE bench_{side}")
            with cursor.copy(f"COPY bench_{side} FROM STDIN WITH (FORMAT csv, HEADER)") as into:
                into.write((case.folder / f"{side}.csv").read_bytes())
            cursor.execute(f"ANALYZE bench_{side}")
    ours(case)


def ours(case: Case) -> None:
    from django.db import transaction

    from xueka.contexts.treasury.services.finding import find

    with transaction.atomic():
        found = find(case.sides, FIRST, FIRST + timedelta(days=DAYS - 1), set(), FIRST + timedelta(days=DAYS))
    if len(found.breaks) != case.breaks:
        raise AssertionError((len(found.breaks), case.breaks))


def floor(case: Case) -> None:
    orders, lines, confirmed = (
        polars.read_csv(case.folder / f"{side}.csv", infer_schema=False).with_columns(
            polars.col("fen").cast(polars.Int64)
        )
        for side in ("ours", "theirs", "confirmed")
    )
    joined = orders.join(lines, on=["channel", "kind", "id"], how="full", suffix="_line").join(
        confirmed, on="pay_code", how="full", suffix="_told"
    )
    wrong = joined.filter(
        polars.col("fen").ne_missing(polars.col("fen_line"))
        | polars.col("fen").ne_missing(polars.col("fen_told"))
    )
    if wrong.height != case.breaks:
        raise AssertionError((wrong.height, case.breaks))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="xueka-bench-") as home:
        Path(home).chmod(0o711)  # the database server may run as another user
        os.environ["XUEKA_HOME"] = home
        compare(
            "reconcile, orders × channel × finance",
            "orders",
            SIZES,
            prepare,
            ours,
            floor,
            {"with_load": with_load, "all_sides_differ": (prepare_all_sides, ours)},
        )
