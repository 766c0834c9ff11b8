"""What is loaded is committed only where all of it was unpacked; a refusal says what is left."""

import io
import subprocess

import pytest
from django.db import connection

from xueka.kernel.errors import Refused
from xueka.platform.backup import restoring
from xueka.platform.database import address
from xueka.platform.database.address import Role


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


@pytest.mark.django_db
@pytest.mark.parametrize("embedded", [True, False])
def test_what_a_refusal_leaves_behind_is_said(embedded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    here = address.parameters(Role.OWNER, connection.settings_dict["NAME"])
    monkeypatch.setattr(restoring.address, "parameters", lambda _: here)
    monkeypatch.setattr(restoring.server, "embedded", lambda: embedded)
    restoring._compare({"registry_school": 0})
    with pytest.raises(Refused) as refusal:
        restoring._compare({"registry_school": 7})
    assert (refusal.value.code, refusal.value.found, refusal.value.expected) == ("RESTORE_FAILED", 0, 7)
    assert ("数据库里已写入的内容还在" in (refusal.value.action or "")) != embedded
