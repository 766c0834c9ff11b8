"""Making a backup while the system runs: one snapshot of the database and the files of the home that belong
to it.

What is read is one moment: rows are counted and dumped under one exported snapshot, taken while nobody seals
the audit log, so that the head beside the database fits the chain inside it. Nothing but sealed bytes reaches
a disk.
"""

import errno
import hashlib
import io
import json
import os
import re
import secrets
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import psycopg
from django.apps import apps
from django.db import connection
from psycopg import sql

from xueka.kernel import clock
from xueka.kernel.errors import Conflict, Refused
from xueka.platform.audit import head, sealing
from xueka.platform.backup import archive, configuration, container
from xueka.platform.database import address, home, location
from xueka.platform.database.address import Role

FORMAT = 1
SUFFIX = ".xkb"
#: What of a home is not taken along: the database (it is dumped), what a new home makes anew, what runs.
LEFT_OUT = {"database", "run", "serve.json", "serve.lock", "static", "backups", "drill", "restoring"}
LEFT_OUT_KEYS = ("database-", configuration.DEMO_KEY, ".")
_LOCK = 0x58_55_42_41_43_4B  # advisory lock "XUBACK": one backup at a time
_DUMPING = re.compile(r'dumping contents of table "?public\.([^"\s]+)"?')

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Made:
    """A finished backup."""

    path: Path
    size: int
    manifest: dict[str, Any]


def create(
    wrap: Callable[[bytes], dict[str, Any]],
    *,
    folder: Path | None = None,
    scheduled: bool = False,
    progress: Progress = lambda done, total: None,
) -> Made:
    """Make a backup in `folder` (the installation's own without it), sealed by `wrap`, and read it once more.

    Raises Conflict `BACKUP_RUNNING` if another one is being made, Refused `BACKUP_DISK_FULL`, `BACKUP_DISK`
    or `BACKUP_FAILED`. Whatever happens, no unfinished file bears the final name.
    """
    target = folder or configuration.folder()
    with _only_one(), _disk_errors(target):
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in target.glob(f".*{SUFFIX}.part"):
            left.unlink(missing_ok=True)  # of one that was killed; nobody else is at work
        made_at = clock.now()
        name = f"xueka-{clock.local(made_at):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}{SUFFIX}"
        part = target / f".{name}.part"
        key = secrets.token_bytes(container.KEY_SIZE)
        first = {"format": FORMAT, "made_at": made_at.isoformat(), "scheduled": scheduled, "seal": wrap(key)}
        try:
            with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file:
                manifest = _write(container.Sealer(file, key, first), made_at.isoformat(), progress)
                file.flush()
                os.fsync(file.fileno())
                file.seek(0)
                archive.check(file, lambda seal: key)
            part.rename(target / name)
            _sync(target)
        finally:
            part.unlink(missing_ok=True)
    return Made(target / name, (target / name).stat().st_size, manifest)


@contextmanager
def _only_one() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        if cursor.fetchone() != (True,):
            raise Conflict("BACKUP_RUNNING", "正在做另一份备份。", action="请等它完成。")
    try:
        yield
    finally:
        if connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


@contextmanager
def _disk_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise Refused(
            "BACKUP_DISK_FULL" if full else "BACKUP_DISK",
            "磁盘空间不足，备份没有做成。" if full else "备份目录无法写入。",
            where=str(target),
            found=None if full else os.strerror(error.errno or 0),
            action="没有留下半份文件，原有备份不受影响。请腾出空间或换一个目录后再做。",
        ) from error


def _write(sealer: container.Sealer, made_at: str, progress: Progress) -> dict[str, Any]:
    with _snapshot() as (database, snapshot, audit_head):
        tables = _count_rows(database)
        files = home_files()
        manifest = {
            "format": FORMAT,
            "made_at": made_at,
            "server_version": database.info.server_version,
            "migrations": _migrations(database),
            "tables": tables,
            "audit_head": audit_head,
            "files": [
                {"path": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                for name, content in files
            ],
        }
        sealer.write(archive.MANIFEST, json.dumps(manifest, ensure_ascii=False).encode())
        sealer.write(archive.HOME, _packed(files, audit_head))
        totals = _dump(sealer, snapshot, tables, progress)
        sealer.write(archive.TOTALS, json.dumps(totals).encode())
        sealer.close()
    return manifest


def _migrations(database: psycopg.Connection) -> list[tuple[str, str, str]]:
    """(module, app, name) of every migration in the database, so that a restore knows whether it is too
    old.
    """
    rows = database.execute("SELECT app, name FROM django_migrations ORDER BY id").fetchall()
    modules: dict[str, str] = {str(each.label): f"{each.name}.migrations" for each in apps.get_app_configs()}
    return [(modules.get(str(app), str(app)), str(app), str(name)) for app, name in rows]


@contextmanager
def _snapshot() -> Iterator[tuple[psycopg.Connection, str, dict[str, object] | None]]:
    """A connection in a transaction that sees one moment, the snapshot's name, the audit head of that
    moment.
    """
    with psycopg.connect(**address.parameters(Role.OWNER, _database_name())) as database:
        database.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        database.read_only = True
        with sealing.quiet():  # otherwise the head could be of a later moment than the rows
            [snapshot] = database.execute("SELECT pg_export_snapshot()").fetchone() or [""]
            found = head.read()
        yield database, snapshot, found.as_dict() if found else None
        database.rollback()


def _database_name() -> str:
    return str(connection.settings_dict["NAME"])


def _count_rows(database: psycopg.Connection) -> dict[str, int]:
    names = [
        name
        for (name,) in database.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
        )
    ]
    counts = {}
    for name in names:
        row = database.execute(
            sql.SQL("SELECT count(*) FROM public.{}").format(sql.Identifier(name))
        ).fetchone()
        counts[name] = int(row[0]) if row else 0
    return counts


def home_files() -> list[tuple[str, bytes]]:
    """(path below the home, content) of what is needed to read the data: keys, head, calendar, …"""
    base, found, kept = home.home(), [], configuration.folder()
    for path in sorted(base.rglob("*")):
        parts = path.relative_to(base).parts
        if parts[0] in LEFT_OUT or parts[0].startswith(".") or path.is_symlink() or not path.is_file():
            continue
        if path.is_relative_to(kept):
            continue  # backups in a folder of another name
        if parts[0] == "keys" and parts[-1].startswith(LEFT_OUT_KEYS):
            continue
        found.append(("/".join(parts), path.read_bytes()))
    return found


def _packed(files: list[tuple[str, bytes]], audit_head: dict[str, object] | None) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files:
            if name == "audit/head.json":
                continue  # a later seal may have moved it; the one of the snapshot is in the manifest
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o600
            tar.addfile(entry, io.BytesIO(content))
        if audit_head:
            content = json.dumps(audit_head).encode()
            entry = tarfile.TarInfo("audit/head.json")
            entry.size, entry.mode = len(content), 0o600
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _dump(
    sealer: container.Sealer, snapshot: str, tables: dict[str, int], progress: Progress
) -> dict[str, Any]:
    """Stream pg_dump into the file; its exit code is known before the last chunk is written."""
    where = address.parameters(Role.OWNER, _database_name())
    password = where.pop("password", "")
    command = [
        str(location.client_program("pg_dump")),
        "--format=custom",
        "--compress=3",
        "--no-owner",
        "--no-privileges",
        "--verbose",
        f"--snapshot={snapshot}",
        f"--dbname={psycopg.conninfo.make_conninfo(**where)}",
    ]
    environment = {"PATH": os.defpath, "PGPASSWORD": password, "LC_ALL": "C.UTF-8"}
    digest, size = hashlib.sha256(), 0
    said: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environment
    ) as process:
        assert process.stdout and process.stderr
        listener = threading.Thread(
            target=_listen, args=(process.stderr, tables, progress, said), daemon=True
        )
        listener.start()
        try:
            while content := process.stdout.read(container.CHUNK):
                digest.update(content)
                size += len(content)
                sealer.write(archive.DUMP, content)
        except BaseException:
            process.kill()
            raise
        listener.join()
    if process.returncode != 0:
        raise Refused(
            "BACKUP_FAILED",
            "数据库导出没有完成，备份没有做成。",
            found="；".join(said[-3:]) or f"pg_dump {process.returncode}",
            action="原有备份不受影响。请把这段话告诉系统管理员。",
        )
    return {"dump_size": size, "dump_sha256": digest.hexdigest()}


def _listen(stream: BinaryIO, tables: dict[str, int], progress: Progress, said: list[str]) -> None:
    """What pg_dump says: the table it is at gives the progress, the rest is kept for a failure."""
    total, done, present = sum(tables.values()), 0, ""
    for raw in stream:
        line = raw.decode(errors="replace").strip()
        if found := _DUMPING.search(line):
            done += tables.get(present, 0)
            present = found[1]
            progress(done, total)
        elif "error" in line.lower():
            said.append(line)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
