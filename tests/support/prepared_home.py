"""A data home as the first command leaves it, for tests that start a server of their own.

Making a server and migrating its database costs more than most tests; so a command does that once a run, and
each test works in a copy. First starts themselves are looked at in test_serve and test_foreign_server.
"""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from xueka.platform.database import location

#: Not what the run's own server is told.
STRANGE = ("DATABASE_URL", "DATABASE_OWNER_URL")


def lay_out(home: Path) -> Path:
    """`home`, which need not exist yet: the files of a server that is not running, and its passwords."""
    made = _made()
    _copy(_place(made).data, _place(home).data)
    keys = home / "keys"
    keys.mkdir(mode=0o700)
    for path in (made / "keys").glob("database-*"):
        _copy(path, keys / path.name)
    return home


def _made() -> Path:
    made = Path(os.environ["XUEKA_TEST_HOME"]) / "prepared"
    ready = made.with_suffix(".ready")
    with made.with_suffix(".lock").open("w") as lock:  # one of the run's processes makes it
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            environment = {key: value for key, value in os.environ.items() if key not in STRANGE}
            environment |= {"XUEKA_HOME": str(made), "DJANGO_SETTINGS_MODULE": "xueka.config.settings"}
            command = [sys.executable, "-m", "xueka", "manage", "check"]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            ready.touch()
    return made


def _place(home: Path) -> location.Place:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XUEKA_HOME", str(home))
        return location.place()


def _copy(source: Path, target: Path) -> None:
    """With its owner: the server may run as another user."""
    subprocess.run(["cp", "-a", source, target], check=True)
