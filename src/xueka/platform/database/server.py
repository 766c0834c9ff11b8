"""The embedded PostgreSQL server: made, started, shared and stopped by whoever uses it.

Every process that uses the server holds a shared lock for as long; the last one out stops the server. A
lock dies with its process, so after kill -9 the next holder finds the server running and takes it over, or
finds it dead and starts it again. Whether a server lives is asked of the server, never of a pid file.
"""

import atexit
import contextlib
import fcntl
import functools
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg import conninfo, sql
from psycopg.pq import PGconn, Ping

from xueka.platform.database import address, home, location
from xueka.platform.database.address import DATABASE, Role
from xueka.platform.database.location import EmbeddedServerError, Place

BUILTIN_LOCALE = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8")  # the same on every machine
PARALLEL_NEEDS = 256 * 2**20  # bytes
START_ATTEMPTS = 3
START_LIMIT = 120.0  # seconds; a server that recovers after a crash replays its log first
STOP_LIMIT = 60  # seconds

_process_lock = threading.RLock()
_holding: "_Holding | None" = None


@contextlib.contextmanager
def hold() -> Iterator[None]:
    """The server runs inside this block. Does nothing when `DATABASE_URL` names a server elsewhere."""
    acquire()
    try:
        yield
    finally:
        release()


def acquire() -> None:
    """Start the server unless it runs, and keep it running until `release()` or the end of this process."""
    global _holding  # noqa: PLW0603 - one holding per process is the point
    if not embedded():
        return
    with _process_lock:
        if _holding is None or _holding.pid != os.getpid():
            _holding = _Holding(location.place())
        _holding.count += 1


def release() -> None:
    """Give back one `acquire()`; the last holder of all processes stops the server."""
    global _holding  # noqa: PLW0603
    with _process_lock:
        if _holding is None or _holding.pid != os.getpid():
            return
        _holding.count -= 1
        if _holding.count == 0:
            _holding.close()
            _holding = None


@atexit.register
def _release_at_exit() -> None:
    with _process_lock:
        if _holding is not None and _holding.pid == os.getpid():
            _holding.count = 1
            release()


def embedded() -> bool:
    """Whether the server is ours to drive."""
    return not address.external_url()


def revive() -> None:
    """Start the server again if it has died under its holders; meant for the supervisor's regular look."""
    if embedded() and not _postmaster_alive(place := location.place()):
        with _exclusive(place.root / "start.lock"):
            start(place)


class _Holding:
    """This process's share of the server."""

    def __init__(self, place: Place) -> None:
        self.pid = os.getpid()
        self.count = 0
        self.place = place
        self.share = _open_lock(place.root / "holders.lock")
        try:
            with _exclusive(place.root / "start.lock"):
                fcntl.flock(self.share, fcntl.LOCK_SH)
                if not place.data.exists():
                    initialise(place)
                start(place)
        except BaseException:
            os.close(self.share)
            raise

    def close(self) -> None:
        with _exclusive(self.place.root / "start.lock"):
            try:
                fcntl.flock(self.share, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass  # somebody else still works with it
            else:
                stop(self.place)
            finally:
                os.close(self.share)


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


@contextlib.contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    lock = _open_lock(path)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def state(place: Place) -> Ping:
    """Ask the server: `OK`, `REJECT` (starting, recovering, stopping) or `NO_RESPONSE`."""
    where = conninfo.make_conninfo(host=str(place.socket_directory), port=location.PORT, connect_timeout=5)
    return Ping(PGconn.ping(where.encode()))


def initialise(place: Place) -> None:
    """Make a new cluster. Killed half-way, it begins anew; what once was complete is never removed."""
    draft = place.root / "data.new"
    shutil.rmtree(draft, ignore_errors=True)
    place.give(draft)
    with tempfile.TemporaryDirectory(dir=place.root) as folder:
        password = Path(folder) / "password"
        password.write_text(address.parameters(Role.ADMINISTRATOR)["password"], "ascii")
        if place.user is not None:
            for path in (Path(folder), password):
                os.chown(path, *place.user)
        _run(
            place,
            "initdb",
            f"--pgdata={draft}",
            *BUILTIN_LOCALE if _version(place) >= 17 else (),
            "--locale=C.UTF-8",
            "--encoding=UTF8",
            f"--username={Role.ADMINISTRATOR}",
            "--auth=scram-sha-256",
            f"--pwfile={password}",
            "--no-instructions",
        )
    (draft / "pg_hba.conf").write_text("local all all scram-sha-256\n", "ascii")
    with (draft / "postgresql.conf").open("a", encoding="ascii") as file:
        file.write("include = 'xueka.conf'\n")
    draft.rename(place.data)


def start(place: Place) -> None:
    """Bring the server up, or wait for one that is coming up by itself."""
    version = place.data / "PG_VERSION"
    made_by = version.read_text("ascii").strip() if version.exists() else "?"
    if made_by != str(_version(place)):
        message = (
            f"{place.data} 由 PostgreSQL {made_by} 建立，现有程序是 {_version(place)}：请用备份与恢复升级。"
        )
        raise EmbeddedServerError(message)
    deadline, attempts = time.monotonic() + START_LIMIT, 0
    while (found := state(place)) != Ping.OK:
        if time.monotonic() > deadline:
            raise EmbeddedServerError(f"数据库在 {START_LIMIT:.0f} 秒内没有就绪，见 {place.log}。")
        if found == Ping.NO_RESPONSE and not _postmaster_alive(place):
            if attempts == START_ATTEMPTS:
                raise EmbeddedServerError(f"数据库无法启动，原因见 {place.log}：\n{_last_words(place)}")
            _launch(place)
            attempts += 1
        else:
            time.sleep(0.05)
    _ensure_roles()


def stop(place: Place) -> None:
    """Stop the server; open connections are closed. A server that is not there is as good as stopped."""
    if not _postmaster_alive(place):
        return
    for mode in ("fast", "immediate"):
        done = _try(
            place, "pg_ctl", "stop", f"--pgdata={place.data}", f"--mode={mode}", f"--timeout={STOP_LIMIT}"
        )
        if done.returncode == 0 or not _postmaster_alive(place):
            return
    raise EmbeddedServerError(f"数据库没有停止：{done.stdout.strip()}")


def remove(place: Place) -> None:
    """Stop the server and take its data away, wherever they lie; the place itself stays for a new one."""
    stop(place)
    for folder in (place.socket_directory, place.data):
        shutil.rmtree(folder, ignore_errors=True)


def _launch(place: Place) -> None:
    for directory in (place.log.parent, place.socket_directory):
        place.give(directory)
    _write_configuration(place)
    for pid in _processes(place):
        os.kill(pid, signal.SIGKILL)  # what a crashed server has left; it would keep the memory occupied
    # Its lock files may name a process that lives, a stranger or a zombie, and would be believed.
    for lock in (place.data / "postmaster.pid", place.socket_directory / f".s.PGSQL.{location.PORT}.lock"):
        lock.unlink(missing_ok=True)
    # Whatever pg_ctl thinks of it, the caller asks the server itself.
    _try(place, "pg_ctl", "start", f"--pgdata={place.data}", f"--log={place.log}", "--wait", "--timeout=5")


def _last_words(place: Place) -> str:
    try:
        return "\n".join(place.log.read_text("utf-8", errors="replace").splitlines()[-5:])
    except FileNotFoundError:
        return ""


def _write_configuration(place: Place) -> None:
    durable = os.environ.get("XUEKA_DATABASE_DURABLE", "on")
    lines = [
        "listen_addresses = ''",
        f"port = {location.PORT}",
        f"unix_socket_directories = '{place.socket_directory}'",
        "unix_socket_permissions = 0700",
        "max_connections = 100",
        "shared_buffers = 256MB",
        "max_wal_size = 2GB",
        "jit = off",
        "timezone = 'UTC'",
        "log_timezone = 'UTC'",
        "log_min_messages = warning",
        "log_min_error_statement = panic",  # statements carry personal data
        "log_parameter_max_length_on_error = 0",
        "log_error_verbosity = terse",  # so do the details of a refused row
        f"fsync = {durable}",
        f"full_page_writes = {durable}",
    ]
    if _shared_memory() < PARALLEL_NEEDS:
        lines += ["max_parallel_workers_per_gather = 0", "max_parallel_maintenance_workers = 0"]
    path = place.data / "xueka.conf"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    if place.user is not None:
        os.chown(path, *place.user)


def _shared_memory() -> int:
    """Bytes that parallel queries may share; containers often have 64 MiB, and queries would fail midway."""
    try:
        status = os.statvfs("/dev/shm")  # noqa: S108 - only asked for its size
    except OSError:
        return 0
    return status.f_frsize * status.f_blocks


def _postmaster_alive(place: Place) -> bool:
    """Is the process named by the pid file really a server on this data directory?"""
    try:
        pid = int((place.data / "postmaster.pid").read_text("utf-8").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return False
    return _works_here(place, pid)


def _works_here(place: Place, pid: int) -> bool:
    process = Path(f"/proc/{pid}")
    try:
        return (process / "comm").read_text() == "postgres\n" and (process / "cwd").samefile(place.data)
    except OSError:
        return False


def _processes(place: Place) -> list[int]:
    """Every server process that works in this data directory."""
    pids = [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]
    return [pid for pid in pids if _works_here(place, pid)]


@functools.cache
def _version(place: Place) -> int:
    """The major version of the programs."""
    return int(_try(place, "postgres", "--version").stdout.split()[2].split(".")[0])


def _ensure_roles() -> None:
    with _administrator() as connection:
        present = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
        for role in (Role.OWNER, Role.APPLICATION, Role.READER):
            if role not in present:
                statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
                password = sql.Literal(address.parameters(role)["password"])
                connection.execute(statement.format(sql.Identifier(role), password))
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            _create_database(connection)


def recreate_database() -> None:
    """Throw the whole (embedded) database away and leave an empty one; `migrate.prepare()` comes next."""
    with _administrator() as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(DATABASE)))
        _create_database(connection)


def _administrator() -> psycopg.Connection:
    try:
        return psycopg.connect(**address.parameters(Role.ADMINISTRATOR, "postgres"), autocommit=True)
    except psycopg.OperationalError as error:
        message = f"数据库拒绝连接，请确认 {home.keys_directory()} 与数据同属一套：{str(error).strip()}"
        raise EmbeddedServerError(message) from error


def _create_database(connection: psycopg.Connection) -> None:
    statement = sql.SQL("CREATE DATABASE {} OWNER {}")
    connection.execute(statement.format(sql.Identifier(DATABASE), sql.Identifier(Role.OWNER)))


def _try(place: Place, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [place.binaries / "bin" / program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        **place.process_options(),
    )


def _run(place: Place, program: str, *arguments: str) -> None:
    done = _try(place, program, *arguments)
    if done.returncode != 0:
        raise EmbeddedServerError(f"{program} 失败：{done.stdout.strip()}")
