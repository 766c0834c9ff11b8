"""Restoring into an empty place. Django is not set up yet: the home it would read is only being made.

Order: everything is read and checked; the place must be empty; a note says that a restore is under way;
files, then the database in one transaction, then its rows counted; migrations; the note goes. Killed in
between, the place is refused by every command but this one, which clears what it had made and begins anew.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any, BinaryIO

import psycopg
from psycopg import sql

from xueka.kernel.errors import BadInput, Refused
from xueka.platform.backup import archive
from xueka.platform.database import address, home, location, server
from xueka.platform.database.address import Role

NOTE = "restoring"
#: Newer tools set what an older server does not know; it only matters to them.
_UNKNOWN_TO_OLD = b"SET transaction_timeout = 0;\n"
Unlock = Callable[[dict[str, Any]], bytes]


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back: rows by table, as the manifest has them, and the number of files."""

    made_at: str
    tables: dict[str, int]
    files: int


def restore(
    path: Path, unlock: Unlock, finish: Callable[[str], None], say: Callable[[str], None]
) -> Restored:
    """Put a backup back into the present, empty `XUEKA_HOME` (and the empty database of `DATABASE_URL`).

    The caller holds no server yet. `finish(made_at)` sets Django up, migrates and leaves a record; it runs
    before the place is released. Raises BadInput or Refused; then the place is as empty as before, but for a
    database of `DATABASE_URL` once it was filled: it is not ours to drop, and the refusal says so.
    """
    say("核对备份……")
    with _open(path) as file:
        found = archive.check(file, unlock)
    _check_versions(found.manifest)
    with _empty_place(say):
        say("写入文件……")
        for name, content in found.files.items():
            _put(home.home() / name, content)
        with server.hold():
            _check_database_is_empty()
            say("写入数据库……")
            _load(archive.dump_of(path, unlock))
            _compare(found.manifest["tables"])
            finish(found.manifest["made_at"])
        (home.home() / NOTE).unlink()
    return Restored(found.manifest["made_at"], found.manifest["tables"], len(found.files))


@contextlib.contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise BadInput(
            "BACKUP_UNREADABLE",
            "备份文件无法读取。",
            found=str(path),
            where=os.strerror(error.errno or 0),
            action="请核对文件名和权限。",
        ) from error


def check(path: Path, unlock: Unlock) -> archive.Contents:
    """Read a backup to its end without restoring it."""
    with _open(path) as file:
        return archive.check(file, unlock)


def _check_versions(manifest: dict[str, Any]) -> None:
    """Data of a newer Xueka have migrations that this one does not know."""
    missing = [f"{app}.{name}" for module, app, name in manifest["migrations"] if not _has(module, name)]
    if missing:
        raise Refused(
            "BACKUP_NEWER",
            "这份备份由更新的版本生成，本版本不能恢复。",
            found="、".join(missing[:3]),
            action="请先把程序升级到生成备份时的版本或更新的版本。",
        )


def _has(module: str, name: str) -> bool:
    try:
        package = util.find_spec(module)
    except ImportError:
        return False
    folders = package.submodule_search_locations if package else None
    return any(Path(folder, f"{name}.py").exists() for folder in folders or ())


@contextlib.contextmanager
def _empty_place(say: Callable[[str], None]) -> Iterator[None]:
    """The home, made and marked. A refusal leaves it as empty as it was; a kill leaves the mark."""
    base = home.home()
    note = base / NOTE
    if note.exists():
        say("上次恢复没有完成，清除后重新开始。")
        clear()
    elif base.exists() and [each.name for each in base.iterdir() if each.name != "backups"]:
        raise Refused(
            "RESTORE_NOT_EMPTY",
            "数据目录不是空的，不能在上面恢复。",
            found=str(base),
            expected="空的或不存在的目录",
            action="没有改动任何数据。请用 XUEKA_HOME 指定一个新目录；确认不再需要的旧目录由你自己移走。",
        )
    home.made_home()
    note.write_text("", "ascii")
    try:
        yield
    except (BadInput, Refused):
        clear()
        note.unlink(missing_ok=True)
        if server.embedded() and (base / "database").exists():
            shutil.rmtree(location.place().root, ignore_errors=True)
            shutil.rmtree(base / "database", ignore_errors=True)
        raise


def clear() -> None:
    """Take away what an unfinished restore has made, database included; backups stay."""
    base = home.home()
    if server.embedded() and (base / "database").exists():
        server.remove(location.place())
    for path in base.iterdir():
        if path.name not in {"backups", "database", NOTE}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _check_database_is_empty() -> None:
    with psycopg.connect(**address.parameters(Role.OWNER)) as owner:
        found = owner.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    if found != (0,):
        raise Refused(
            "RESTORE_NOT_EMPTY",
            "数据库不是空的，不能在上面恢复。",
            found=f"{found[0] if found else 0} 张表",
            expected="空的数据库",
            action="没有改动任何数据。请用 DATABASE_URL 指定一个新建的空数据库。",
        )


def _put(path: Path, content: bytes) -> None:
    home.private_directory(path.parent)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _load(dump: Iterator[bytes]) -> None:
    """pg_restore turns the dump into statements, psql runs them in one transaction: all of it or nothing.

    The COMMIT is ours: psql's own `--single-transaction` would commit half of it where the input is cut.
    """
    where = address.parameters(Role.OWNER)
    environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "PGPASSWORD": where.pop("password", "")}
    unpack = [str(location.client_program("pg_restore")), "--file=-", "--no-owner", "--no-privileges"]
    run = [str(location.client_program("psql")), "--no-psqlrc", "--quiet", "--file=-"]
    run += ["--set=ON_ERROR_STOP=1", f"--dbname={psycopg.conninfo.make_conninfo(**where)}"]
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(unpack, stdin=PIPE, stdout=PIPE, stderr=complaints, env=environment) as statements,
        subprocess.Popen(run, stdin=PIPE, stdout=DEVNULL, stderr=complaints, env=environment) as database,
    ):
        assert statements.stdin and statements.stdout and database.stdin
        pump = threading.Thread(target=_pump, args=(statements, database.stdin), daemon=True)
        pump.start()
        try:
            with contextlib.suppress(BrokenPipeError):  # the exit codes tell what became of it
                for content in dump:
                    statements.stdin.write(content)
            with contextlib.suppress(BrokenPipeError):
                statements.stdin.close()
        except BaseException:
            database.kill()
            statements.kill()
            raise
        pump.join()
        codes = statements.wait(), database.wait()
        complaints.seek(0)
        said = complaints.read().decode(errors="replace").strip()
    if codes != (0, 0):
        raise Refused(
            "RESTORE_FAILED",
            "数据库没有恢复成功。",
            found=said.splitlines()[0][:200] if said else f"{codes}",
            action="目录已清空，可以重试。请把这段话告诉系统管理员。",
        )


def _pump(unpacking: subprocess.Popen[bytes], database: BinaryIO) -> None:
    """From one to the other; where psql has given up, pg_restore learns of it by a closed pipe."""
    assert unpacking.stdout
    beginning = True
    with contextlib.suppress(BrokenPipeError), unpacking.stdout as statements, database:
        database.write(b"BEGIN;\n")
        while content := statements.read(1 << 16):
            if beginning:
                content, beginning = content.replace(_UNKNOWN_TO_OLD, b"", 1), False
            database.write(content)
        if unpacking.wait() == 0:
            database.write(b"COMMIT;\n")


_LEFT = {True: "", False: "；数据库里已写入的内容还在，请先新建一个空数据库"}


def _compare(tables: dict[str, int]) -> None:
    with psycopg.connect(**address.parameters(Role.OWNER)) as owner:
        for name, rows in tables.items():
            query = sql.SQL("SELECT count(*) FROM public.{}").format(sql.Identifier(name))
            if (found := owner.execute(query).fetchone()) != (rows,):
                raise Refused(
                    "RESTORE_FAILED",
                    "恢复出的行数与清单不符。",
                    where=name,
                    found=found[0] if found else 0,
                    expected=rows,
                    action=f"目录已清空{_LEFT[server.embedded()]}。请换用另一份备份。",
                )
