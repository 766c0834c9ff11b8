"""The agent runs where nothing of the server is installed."""

import subprocess
import sys
from pathlib import Path

import pytest

import xueka.agent

PARTS = sorted(path.stem for path in Path(xueka.agent.__file__).parent.glob("*.py"))
ALLOWED = {"smartcard", "httpx", "cryptography", "pyipp", "xueka"}

PROBE = """
import importlib, sys
class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"django", "psycopg", "polars", "typer", "structlog", "procrastinate"}:
            raise ImportError(name)
        if name.startswith("xueka.") and not name.startswith("xueka.agent"):
            raise ImportError(name)
sys.meta_path.insert(0, Forbidden())
importlib.import_module("xueka.agent." + sys.argv[1])
"""


@pytest.mark.parametrize("part", [part for part in PARTS if part not in {"__init__", "__main__"}])
def test_part_needs_nothing_of_the_server(part: str) -> None:
    if part == "card_process":
        pytest.importorskip("smartcard")
    done = subprocess.run([sys.executable, "-c", PROBE, part], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_command_starts_without_django() -> None:
    text = PROBE.replace(
        "importlib.import_module(", "importlib.import_module('xueka.agent.__main__').main(['--help']) #"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--reader" in done.stdout
