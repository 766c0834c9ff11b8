"""A production file from accepted applications to the stored package, beside writing and enciphering alone.

Ours is what the worker and two people make the system do: the batch is put together, every card gets its
numbers and its row, the batch is approved, and the package is rendered, enciphered, signed and stored, all in
the database and committed. The floor writes the same columns once with polars and passes the cipher over them
once; it touches no database. `file` is ours from the approved batch on: read, render, encipher, sign, store.
`file_with_keys` is the same with six SM4 keys for each card: diversified, enciphered under a batch key,
proved, with a check value for every single key.
"""

import os
import secrets
import tempfile
from pathlib import Path
from typing import Any

import line
from harness import compare

SIZES = (10_000, 100_000)


def prepare(size: int) -> tuple[list[int], dict[str, list[Any]]]:
    """So many accepted applications, and the columns of as many records."""
    line.open_line()
    numbers = range(size)
    columns = {
        "card": [f"26{n:010d}" for n in numbers],
        "transit": [f"10007500{n:08d}" for n in numbers],
        "tong": [f"BJT00000{n:08d}" for n in numbers],
        "education": [f"{n:08d}" for n in numbers],
        "name": [f"学生{n}" for n in numbers],
        "school": ["2111010001" for _ in numbers],
        "school_name": ["第0001小学" for _ in numbers],
        "class": ["一年级1班" for _ in numbers],
        "valid": ["20260901|20320831" for _ in numbers],
    }
    return line.children(size), columns


def approved(size: int) -> int:
    """A batch that two people have approved."""
    prepare(size)
    return _approve(line.children(size))


def ours(data: tuple[list[int], dict[str, list[Any]]]) -> None:
    _build(_approve(data[0]))


def _approve(applications: list[int]) -> int:
    from django.db import transaction
    from tests.unit.production.conftest import FIRST, SECOND

    from xueka.contexts.production import api as production

    with transaction.atomic():
        batch = production.create_batch(FIRST, line.KIND, applications)
    with transaction.atomic():
        production.lock(FIRST, batch.id)
    with transaction.atomic():
        production.approve(SECOND, batch.id)
    return batch.id


def approved_with_keys(size: int) -> int:
    """The same for a kind whose cards get six keys each, in the file."""
    batch = approved(size)
    from django.db import transaction
    from tests.unit.production.conftest import FIRST, SECOND

    from xueka.contexts.keys import api as keys
    from xueka.contexts.production import api as production

    labels = ("mf.control", "mf.maintain", "adf.control", "adf.maintain", "adf.internal", "adf.external")
    masters = [{"label": f"education_sm4.{name}", "factor": "card_number"} for name in labels]
    with transaction.atomic():
        keys.make_demo_keys()
        plan = {"way": "file", "transport": "SM2", "masters": masters}
        entered = production.enter_delivery(FIRST, line.KIND, plan)
        production.confirm_delivery(SECOND, line.KIND, entered.digest)
    return batch


def _build(batch_id: int) -> None:
    from django.db import transaction

    from xueka.contexts.production import jobs
    from xueka.contexts.production.services import packages

    with transaction.atomic():
        if packages.build(jobs.WORKER, batch_id) is None:
            raise AssertionError("nothing was built")


def _build_with_keys(batch_id: int) -> None:
    from xueka.contexts.keys import api as keys
    from xueka.platform.identity.actor import Actor

    _build(batch_id)
    if not keys.uses(Actor.system("bench").scope).filter(usage="diversify").exists():
        raise AssertionError("no key was used")


def floor(data: tuple[list[int], dict[str, list[Any]]]) -> None:
    import polars
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    text = polars.DataFrame(data[1]).write_csv(separator="|", include_header=False, line_terminator="\r\n")
    encryptor = Cipher(
        algorithms.SM4(secrets.token_bytes(16)), modes.GCM(secrets.token_bytes(12))
    ).encryptor()
    sealed = encryptor.update(text.encode("gb18030")) + encryptor.finalize()
    with tempfile.TemporaryFile() as file:
        file.write(sealed)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="xueka-bench-") as home:
        Path(home).chmod(0o711)  # the database server may run as another user
        os.environ["XUEKA_HOME"] = home
        others = {"file": (approved, _build), "file_with_keys": (approved_with_keys, _build_with_keys)}
        compare("production file", "cards", SIZES, prepare, ours, floor, others)
