"""What is loaded is committed only where all of it was unpacked."""

import io
import subprocess

import pytest

from xueka.platform.backup import restoring


class Kept(io.BytesIO):
    """What the database was told, also after the pipe is closed."""

    def close(self) -> None:
        pass


@pytest.mark.parametrize("code", [0, 3])
def test_half_a_dump_is_not_committed(code: int) -> None:
    told = Kept()
    unpacking = subprocess.Popen(["sh", "-c", f"printf 'SELECT 1;\\n'; exit {code}"], stdout=subprocess.PIPE)
    restoring._pump(unpacking, told)
    statements = told.getvalue().split(b"\n")
    assert statements[:2] == [b"BEGIN;", b"SELECT 1;"]
    assert (b"COMMIT;" in statements) == (code == 0)
