"""A return file of a million lines, from its bytes to the six numbers, beside a polars join of its columns.

Ours opens the signed package, checks head, trailer and totals, judges every field of every line against what
was sent and looks for repetitions and shared chips. The floor reads the same lines, joins them, nothing else.
"""

import hashlib
import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import polars
from harness import compare, in_child

from xueka.contexts.production.adapters.bulk_reconcile import reconcile
from xueka.contexts.production.adapters.bureau_package import open_return
from xueka.contexts.production.domain.bureau.line import ExpectedCard
from xueka.contexts.production.domain.bureau.records import CardContents, Source
from xueka.kernel.identifiers import card_number
from xueka.platform.crypto.sm2 import PrivateKey, PublicKey

CONTENTS = CardContents(True, Source.SENT, Source.SENT)
CODES = ("00", "01", "02", "03", "04", "05", "99")
BATCH = "B26-00001"


class Case(NamedTuple):
    package: bytes
    key: PublicKey
    expected: dict[str, ExpectedCard]


def prepare(size: int) -> Case:
    """The input is written by another process, so that making it is no part of the peak."""
    with tempfile.TemporaryDirectory(prefix="xueka-bench-") as folder:
        in_child(write, size, Path(folder))
        return read(Path(folder))


def write(size: int, folder: Path) -> None:
    sent, lines = [], []
    for place in range(1, size + 1):
        number, transit, tong = card_number(2026, place), f"1000{place:012d}", f"BJT{place:011d}"
        sent.append((number, place, transit, tong))
        lines.append(f"D|{place}|{number}|{transit}|{tong}|04{place:012X}|00|20260903101500|")
    polars.DataFrame(sent, ["number", "place", "transit", "tong"], orient="row").write_ipc(folder / "sent")
    head, trailer = f"H|XKRET|1.0|{BATCH}|1|{size}", f"T|{size}|{size}|0|0|0|0|0|0"
    body = "\r\n".join([head, *lines, trailer, ""]).encode("gb18030")
    key = PrivateKey.generate()
    (folder / "key").write_bytes(key.public.to_pem())
    (folder / "package").write_bytes(_package(body, size, key))


def read(folder: Path) -> Case:
    sent = polars.read_ipc(folder / "sent")
    expected = {
        number: ExpectedCard(place, transit, tong, "") for number, place, transit, tong in sent.iter_rows()
    }
    key = PublicKey.from_pem((folder / "key").read_bytes())
    return Case((folder / "package").read_bytes(), key, expected)


def _package(body: bytes, size: int, key: PrivateKey) -> bytes:
    said: dict[str, Any] = {
        "format": "XKRETURN",
        "version": "1.0",
        "batch": BATCH,
        "return": 1,
        "package_sm3": "0" * 64,
        "final": True,
        "lines": size,
        "results": {code: size if code == "00" else 0 for code in CODES},
        "returns": {
            "name": "returns.txt",
            "size": len(body),
            "sm3": hashlib.new("sm3", body).hexdigest(),
        },
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


def ours(case: Case) -> None:
    opened = open_return(case.package, [case.key], BATCH, expected_number=1)
    counts = reconcile(CONTENTS, case.expected, opened.lines).counts()
    if counts["matched"] != counts["lines"] or counts["lines"] != len(case.expected):
        raise AssertionError(counts)


def floor(case: Case) -> None:
    with zipfile.ZipFile(io.BytesIO(case.package)) as archive:
        body = archive.read("returns.txt")
    said = polars.read_csv(
        body, separator="|", has_header=False, skip_rows=1, infer_schema=False, truncate_ragged_lines=True
    )
    sent = polars.DataFrame(
        {
            "number": list(case.expected),
            "transit": [card.transit_number for card in case.expected.values()],
            "tong": [card.beijing_tong_number for card in case.expected.values()],
        }
    )
    joined = said.join(sent, left_on="column_2", right_on="number")
    good = joined.filter(
        (polars.col("column_3") == polars.col("transit")) & (polars.col("column_4") == polars.col("tong"))
    )
    if good.height != len(case.expected):
        raise AssertionError(good.height)


if __name__ == "__main__":
    compare("return file, checked and matched", "lines", (100_000, 1_000_000), prepare, ours, floor)
