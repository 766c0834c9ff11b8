"""A backup made while others write comes back as one moment; one that is killed leaves nothing behind."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support import prepared_home

SEED = 20261125
WORDS = "correct horse battery"


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XUEKA_", "DATABASE_"))}
    return {**kept, "XUEKA_HOME": str(home), "XUEKA_DATABASE_DURABLE": "off"}


def xueka(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "xueka", *arguments]
    return subprocess.run(command, env=environment(home), capture_output=True, text=True, timeout=300)


def answer(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def secret(tmp_path: Path) -> str:
    tmp_path.chmod(0o711)  # the database's user passes through
    for above in tmp_path.parents[:2]:
        above.chmod(0o711)
    file = tmp_path / "passphrase"
    file.write_text(WORDS + "\n")
    return f"--passphrase-file={file}"


def test_under_writes_killed_and_brought_back(tmp_path: Path, secret: str) -> None:
    first, second, kept = tmp_path / "first", tmp_path / "second", tmp_path / "kept"
    prepared_home.lay_out(first)
    busy = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.busy_city"],
        env=environment(first),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert busy.stdout and busy.stdout.readline() == "ready\n"
        _kill_one(first, kept, secret)
        made = answer(xueka(first, "backup", "create", "--to", str(kept), secret, "--json"))
    finally:
        busy.send_signal(signal.SIGTERM)
        busy.wait(60)
        if busy.stdout:
            busy.stdout.close()
    assert [path.name for path in kept.iterdir()] == [Path(made["file"]).name]  # no half file, no leavings

    wrong = tmp_path / "wrong"
    wrong.write_text("a wrong passphrase")
    refused = xueka(second, "backup", "restore", made["file"], f"--passphrase-file={wrong}", "--json")
    assert (refused.returncode, json.loads(refused.stdout)["error"]["code"]) == (1, "BACKUP_SECRET")
    assert not second.exists()

    restored = answer(xueka(second, "backup", "restore", made["file"], secret, "--json"))
    assert [each for each in restored["invariants"] if each["violated"]] == []
    tables = restored["tables"]
    assert tables["registry_school"] == tables["registry_schoolclass"] >= 20
    chain = next(each for each in restored["invariants"] if each["name"] == "audit_chain_unbroken")
    assert chain["checked"] > tables["registry_school"]
    assert (first / "keys/fields.json").read_bytes() == (second / "keys/fields.json").read_bytes()

    drilled = answer(xueka(second, "backup", "drill", made["file"], secret, "--json"))
    assert drilled["tables"] == tables and drilled["invariants"] == len(restored["invariants"])
    assert list((second / "drill").iterdir()) == []

    again = xueka(second, "backup", "restore", made["file"], secret, "--json")
    assert json.loads(again.stdout)["error"]["code"] == "RESTORE_NOT_EMPTY"


def _kill_one(home: Path, folder: Path, secret: str) -> None:
    """kill -9 at some point after the file was begun."""
    chance = random.Random(SEED)
    command = [sys.executable, "-m", "xueka", "backup", "create", "--to", str(folder), secret]
    victim = subprocess.Popen(command, env=environment(home), stderr=subprocess.DEVNULL)
    while not list(folder.glob(".*.part")) and victim.poll() is None:
        time.sleep(0.005)
    time.sleep(chance.random() * 0.1)
    victim.kill()
    victim.wait()
    assert victim.returncode == -signal.SIGKILL, "it was quicker than we"
    assert list(folder.glob("*.xkb")) == []
