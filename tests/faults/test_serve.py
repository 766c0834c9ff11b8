"""`xueka serve` from the outside: comes up, answers, stops, and recovers from kill -9."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg.pq import Ping

from tests.support import prepared_home
from xueka.platform.database import location, server

COMMAND = [sys.executable, "-m", "xueka", "serve", "--empty", "--port", "0"]


class Serving:
    """A running `xueka serve` in the present XUEKA_HOME."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert self.process.stdout is not None
        self.address = ""
        for line in self.process.stdout:
            if "http://" in line:
                self.address = line[line.index("http://") :].strip()
                return
        raise AssertionError("it ended before it was ready")

    def status(self) -> int:
        """What the site answers on its first page."""
        try:
            with urllib.request.urlopen(self.address) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    def signal(self, number: int) -> int:
        self.process.send_signal(number)
        self.process.communicate()
        return self.process.returncode


@pytest.fixture(scope="module")
def place() -> Iterator[location.Place]:
    """A prepared home of its own, where the database server's user can go."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="xueka-test-") as folder:
        Path(folder).chmod(0o711)
        prepared_home.lay_out(Path(folder))
        patch.setenv("XUEKA_HOME", folder)
        patch.setenv("XUEKA_STATIC", f"{folder}/static")
        patch.setenv("XUEKA_DATABASE_DURABLE", "off")
        patch.delenv("DATABASE_URL", raising=False)
        yield location.place()


@pytest.fixture
def serving(place: location.Place) -> Iterator[Serving]:
    running = Serving()
    yield running
    if running.process.poll() is None:
        running.signal(signal.SIGTERM)
    server.stop(place)


def _processes(home: Path) -> list[str]:
    """Command lines of the living processes that work in this home."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            environment = (path / "environ").read_bytes()
            if f"XUEKA_HOME={home}\0".encode() in environment and path.name != str(os.getpid()):
                found.append((path / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return [line for line in found if "xueka" in line and "pytest" not in line]


def _wait_until(condition: Callable[[], bool]) -> None:
    """Not a measurement: the limit is there so that a hanging test ends."""
    for _ in range(2400):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("waited in vain")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_answers_and_stops_cleanly(place: location.Place, serving: Serving, number: int) -> None:
    assert serving.status() < 500
    assert any(" web " in line for line in _processes(place.root.parent))
    assert serving.signal(number) == 0
    assert _processes(place.root.parent) == []
    assert server.state(place) == Ping.NO_RESPONSE


def test_a_second_one_in_the_same_home_is_sent_to_the_first(serving: Serving) -> None:
    second = subprocess.run([*COMMAND], capture_output=True, text=True)
    assert second.returncode == 1
    assert "ALREADY_SERVING" in second.stderr
    assert serving.address in second.stderr


def test_a_command_beside_it_uses_its_server_and_leaves_it_running(
    place: location.Place, serving: Serving
) -> None:
    beside = [sys.executable, "-m", "xueka", "manage", "check"]
    assert subprocess.run(beside, capture_output=True).returncode == 0
    assert server.state(place) == Ping.OK
    assert serving.status() < 500


def test_a_port_in_use_is_replaced(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty home: the one that makes its server and its database itself."""
    with tempfile.TemporaryDirectory(prefix="xueka-test-") as folder:
        Path(folder).chmod(0o711)
        monkeypatch.setenv("XUEKA_HOME", folder)
        port = serving.address.rstrip("/").rpartition(":")[2]
        monkeypatch.setattr(sys.modules[__name__], "COMMAND", [*COMMAND[:-1], port])
        other = Serving()
        assert other.address != serving.address
        assert other.status() < 500
        assert other.signal(signal.SIGTERM) == 0


def test_after_kill_9_nothing_is_left_and_the_next_start_recovers(
    place: location.Place, serving: Serving
) -> None:
    serving.signal(signal.SIGKILL)
    _wait_until(lambda: not _processes(place.root.parent) and server.state(place) == Ping.NO_RESPONSE)
    again = Serving()
    assert again.status() < 500
    assert json.loads((place.root.parent / "serve.json").read_text())["pid"] == again.process.pid
    assert again.signal(signal.SIGTERM) == 0


def test_killed_children_and_a_killed_database_come_back(place: location.Place, serving: Serving) -> None:
    os.kill(int((place.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    for path in Path("/proc").glob("[0-9]*"):
        line = (path / "cmdline").read_bytes() if (path / "cmdline").exists() else b""
        if b"\0web\0--fd" in line and str(place.root.parent).encode() in (path / "environ").read_bytes():
            os.kill(int(path.name), signal.SIGKILL)
    assert serving.status() < 500, "visitors wait in the listening socket meanwhile"
    _wait_until(lambda: server.state(place) == Ping.OK)
    assert serving.signal(signal.SIGTERM) == 0
    assert server.state(place) == Ping.NO_RESPONSE
