"""A server that `DATABASE_URL` names: prepared by one login, served as the application role."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg import errors

from xueka.platform.database import address, server
from xueka.platform.database.address import Role


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty database on a server that is not ours to drive (another home's), and an empty home."""
    with tempfile.TemporaryDirectory(prefix="xueka-test-") as folder, pytest.MonkeyPatch.context() as patch:
        Path(folder).chmod(0o711)
        patch.setattr(server, "_holding", None)
        patch.setenv("XUEKA_HOME", f"{folder}/elsewhere")
        patch.delenv("DATABASE_URL", raising=False)
        with server.hold():
            found = address.parameters(Role.ADMINISTRATOR, "city")
            with psycopg.connect(**{**found, "dbname": "postgres"}, autocommit=True) as connection:
                connection.execute("CREATE DATABASE city")
            patch.setenv("XUEKA_HOME", f"{folder}/home")
            url = f"postgresql://{found['user']}:{quote(found['password'])}@/city?host={quote(found['host'])}"
            patch.setenv("DATABASE_URL", url)
            yield url
            patch.delenv("DATABASE_URL")


def test_a_command_prepares_it_and_the_application_is_held_to_its_part(foreign: str) -> None:
    command = [sys.executable, "-m", "xueka", "manage", "check"]
    assert subprocess.run(command, capture_output=True).returncode == 0
    with psycopg.connect(**address.parameters(Role.APPLICATION)) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("xueka_application",)
        connection.execute("SELECT count(*) FROM audit_entry")
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("DELETE FROM audit_entry")
    with psycopg.connect(**address.parameters(Role.READER)) as reader:
        reader.execute("SELECT count(*) FROM identity_user")
        with pytest.raises(errors.InsufficientPrivilege):
            reader.execute("DELETE FROM identity_user")
