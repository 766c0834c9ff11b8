"""The drill: a backup is restored into an empty home of its own, verified, compared and taken away again.

What a killed drill left lies there readable; the next one, or the keeper when it starts, takes it away.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xueka.kernel.errors import Conflict, Refused
from xueka.platform.backup import configuration, services
from xueka.platform.database import home


@dataclass(frozen=True, slots=True)
class Drilled:
    """A drill that succeeded: every table had the rows of the manifest, every invariant held."""

    file_name: str
    size: int
    made_at: str
    tables: dict[str, int]
    invariants: int
    checked: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def newest(secrets: Sequence[str] = ()) -> Drilled:
    """Try the newest backup. Raises Refused `DRILL_NONE` where there is none."""
    found = services.stored()
    if not found:
        raise Refused("DRILL_NONE", "还没有备份，无从演练。", action="请先做一份备份。")
    return run(found[0].path, secrets)


def run(path: Path, secrets: Sequence[str] = ()) -> Drilled:
    """Restore `path` in a process of its own; `secrets` are the options of `xueka backup restore`.

    Raises Refused `DRILL_FAILED` with what the restore said, Conflict `DRILL_RUNNING`.
    """
    options = list(secrets) or _standing_secret()
    with _only_one() as lock, _empty_home() as base:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("DATABASE_", "XUEKA_TEST"))
        }
        environment |= {"XUEKA_HOME": str(base), "DJANGO_SETTINGS_MODULE": "xueka.config.settings"}
        command = [sys.executable, "-m", "xueka", "backup", "restore", str(path), "--json", *options]
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            pass_fds=(lock,),  # should this process be killed, the restore still holds it
        )
    try:
        said = json.loads(done.stdout)
    except ValueError:
        said = {}
    if done.returncode != 0 or "error" in said:
        violated = [each["title"] for each in said.get("invariants", []) if each["violated"]]
        error = said.get("error", {})
        words = f"{error.get('message', '')}{error.get('found', '')}" or "、".join(violated)
        raise Refused(
            "DRILL_FAILED",
            "恢复演练没有通过。",
            found=f"{path.name}：{words or done.returncode}",
            action="这份备份不可依赖。请立即另做一份并再次演练，同时通知系统管理员。",
        )
    return Drilled(
        path.name,
        path.stat().st_size,
        said["made_at"],
        said["tables"],
        len(said["invariants"]),
        sum(each["checked"] for each in said["invariants"]),
        said["seconds"],
    )


def clear_left() -> None:
    """Take away what killed drills left, unless one is at work."""
    try:
        with _only_one():
            pass
    except Conflict:
        return


def _standing_secret() -> list[str]:
    file = configuration.passphrase_file()
    if file is None:
        raise Refused(
            "DRILL_SECRET",
            "备份由保管人封存，自动演练打不开它。",
            action="请与保管人一起在命令行运行 xueka backup drill --share …。",
        )
    return ["--passphrase-file", str(file)]


@contextmanager
def _only_one() -> Iterator[int]:
    """The lock of drills, as a descriptor; what an earlier one left is gone."""
    lock = os.open(home.private_directory(home.home() / "run") / "drill.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict("DRILL_RUNNING", "正在做另一次恢复演练。", action="请等它完成。") from None
        for left in (home.home() / "drill").glob("*"):
            _remove(left)
        yield lock
    finally:
        os.close(lock)


@contextmanager
def _empty_home() -> Iterator[Path]:
    """A home that is gone afterwards, with the database files that may have had to lie elsewhere."""
    above = home.private_directory(home.home() / "drill")
    if os.geteuid() == 0:
        above.chmod(0o711)  # the database's user passes through
    base = Path(tempfile.mkdtemp(dir=above))
    base.chmod(0o711 if os.geteuid() == 0 else 0o700)
    try:
        yield base
    finally:
        _remove(base)


def _remove(base: Path) -> None:
    elsewhere = base / "database" / "location"
    if elsewhere.exists():
        shutil.rmtree(elsewhere.read_text("utf-8").strip(), ignore_errors=True)
    shutil.rmtree(base, ignore_errors=True)
