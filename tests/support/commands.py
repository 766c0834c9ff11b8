"""The command in-process, on the database of the test run."""

import contextlib
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from xueka.entrypoints.cli import common
from xueka.entrypoints.cli import main as command

Run = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def xueka(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command with --json; answers the exit code and the one object on standard output."""
    monkeypatch.setattr(common, "database", contextlib.nullcontext)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)

    def run(*words: str) -> tuple[int, dict[str, Any]]:
        monkeypatch.setattr(sys, "argv", ["xueka", *words, "--json"])
        with pytest.raises(SystemExit) as left:
            command.main()
        out = capsys.readouterr().out
        assert out.count("\n") == 1
        return int(left.value.code or 0), json.loads(out)

    return run
