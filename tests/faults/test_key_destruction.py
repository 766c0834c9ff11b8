"""A key is destroyed and the process is killed at each step: it is whole, or on its way out, or gone."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.faults.test_backup import environment
from tests.support import prepared_home

WHOLE = {"state": "retired", "stored": ["local/1", "local/2"], "open": 0, "findings": [], "violated": []}
ON_ITS_WAY = {**WHOLE, "state": "destroyed", "open": 1}
OUT = {**ON_ITS_WAY, "stored": ["local/2"]}
GONE = {**OUT, "open": 0}


def destroyer(home: Path, point: str, code: int) -> list[dict[str, Any]]:
    """What it told before it died or came to its end."""
    surroundings = environment(home)
    del surroundings[
        "XUEKA_DATABASE_DURABLE"
    ]  # the server goes down with it, and has to keep what it promised
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.key_destroyer", point], env=surroundings, capture_output=True,
        text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_killed_before_between_and_after(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)  # the database's user passes through
    for above in tmp_path.parents[:2]:
        above.chmod(0o711)
    home = prepared_home.lay_out(tmp_path / "home")
    assert destroyer(home, "decided", -signal.SIGKILL) == [WHOLE]
    assert destroyer(home, "committed", -signal.SIGKILL) == [WHOLE]  # the kill before took nothing
    assert destroyer(home, "gone", -signal.SIGKILL) == [ON_ITS_WAY]
    assert destroyer(home, "end", 0) == [OUT, GONE]
