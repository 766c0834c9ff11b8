"""Children that die, that will not die, and that outlive their supervisor."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from xueka.platform.supervisor import children
from xueka.platform.supervisor.children import Child, Supervisor

SLEEPER = "import time; time.sleep(600)"
STUBBORN = """
import signal, sys, time, pathlib
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).write_text("ready")
time.sleep(600)
"""
SUPERVISOR = """
import sys
from xueka.platform.supervisor.children import Child, Supervisor
supervisor = Supervisor([Child("child", [sys.executable, "-c", "import time; time.sleep(600)"])], print)
supervisor.start()
print(supervisor.children[0].process.pid, flush=True)
supervisor.run()
"""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "TICK", 0.01)
    monkeypatch.setattr(children, "FIRST_DELAY", 0.01)


def _python(name: str, code: str, *arguments: object) -> Child:
    return Child(name, [sys.executable, "-c", code, *map(str, arguments)], delay=0.01)


@contextlib.contextmanager
def _running(supervisor: Supervisor) -> Iterator[None]:
    supervisor.start()
    try:
        yield
    finally:
        supervisor.stop()
        supervisor.run()


def _wait_until_gone(pid: int) -> None:
    """The kernel's word for it: `/proc/PID` vanishes, or a zombie waits for a parent that is not us."""
    gone = threading.Event()
    for _ in range(2000):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except FileNotFoundError:
            return
        gone.wait(0.01)
    raise AssertionError(f"{pid} still runs")


def test_a_child_that_dies_is_started_again_later_and_later() -> None:
    lines: list[str] = []
    supervisor = Supervisor([_python("flaky", "raise SystemExit(3)")], lines.append)
    with _running(supervisor):
        while len(lines) < 3:
            supervisor.tick()
    assert lines[0] == "flaky 已退出（3），0.01 秒后重新启动。"
    assert [line.split("，")[1] for line in lines[:3]] == [
        "0.01 秒后重新启动。",
        "0.02 秒后重新启动。",
        "0.04 秒后重新启动。",
    ]


def test_the_delay_ends_at_its_limit_and_begins_anew_after_a_steady_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    child = _python("flaky", "raise SystemExit(3)")
    child.delay = 20.0
    supervisor = Supervisor([child], lambda line: None)
    with _running(supervisor):
        assert child.process is not None
        child.process.wait()
        supervisor.tick()
        assert child.delay == children.LONGEST_DELAY
        monkeypatch.setattr(children, "STEADY_AFTER", 0.0)
        child.due = 0.0
        supervisor.tick()
        assert child.process is not None
        child.process.wait()
        supervisor.tick()
        assert child.delay == children.FIRST_DELAY * 2


def test_stopping_ends_every_child() -> None:
    supervisor = Supervisor([_python("one", SLEEPER), _python("two", SLEEPER)], lambda line: None)
    with _running(supervisor):
        pids = [child.process.pid for child in supervisor.children if child.process]
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_child_that_will_not_stop_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "STOP_LIMIT", 0.1)
    lines: list[str] = []
    supervisor = Supervisor([_python("stubborn", STUBBORN, tmp_path / "ready")], lines.append)
    with _running(supervisor):
        while not (tmp_path / "ready").exists():
            supervisor.tick()
    assert lines == ["stubborn 没有按时停止，强制结束。"]


def test_the_watch_is_called_while_it_runs() -> None:
    supervisor = Supervisor([], lambda line: None)
    supervisor.watch = supervisor.stop
    supervisor.run()
    assert supervisor.stopping.is_set()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_children_do_not_outlive_a_supervisor_that_was_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR], stdout=subprocess.PIPE, text=True
    ) as supervisor:
        assert supervisor.stdout is not None
        child = int(supervisor.stdout.readline())
        supervisor.send_signal(signal.SIGKILL)
    _wait_until_gone(child)
