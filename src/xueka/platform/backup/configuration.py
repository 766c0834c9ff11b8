"""What an installation may set about its backups; everything comes from the environment."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from xueka.kernel.errors import BadInput, Refused
from xueka.platform.backup import seals
from xueka.platform.backup.retention import Retention
from xueka.platform.database import home

DEMO_KEY = "backup-passphrase"  # in XUEKA_HOME/keys; never goes into a backup


@dataclass(frozen=True, slots=True)
class Schedule:
    """`hour` o'clock in Shanghai, every day; None: no backup by itself. A drill is missed after
    `drill_days`.
    """

    hour: int | None
    keep: Retention
    drill_days: int


def folder() -> Path:
    """Where backups lie: `XUEKA_BACKUP_DIR` (another disk, please), else `XUEKA_HOME/backups`."""
    named = os.environ.get("XUEKA_BACKUP_DIR")
    return Path(named).absolute() if named else home.home() / "backups"


def is_beside_the_data() -> bool:
    """Whether a broken disk would take the backups with it."""
    return folder().is_relative_to(home.home())


def schedule() -> Schedule:
    """`XUEKA_BACKUP_HOUR` (0–23, default 2; `off`), `XUEKA_BACKUP_KEEP` (days,weeks,months; default 7,4,12),
    `XUEKA_BACKUP_DRILL_DAYS` (default 30).
    """
    hour = os.environ.get("XUEKA_BACKUP_HOUR", "2")
    keep = os.environ.get("XUEKA_BACKUP_KEEP", "7,4,12")
    drill = os.environ.get("XUEKA_BACKUP_DRILL_DAYS", "30")
    try:
        days, weeks, months = (int(part) for part in keep.split(","))
        read = Schedule(None if hour == "off" else int(hour), Retention(days, weeks, months), int(drill))
        if not 0 <= (read.hour or 0) <= 23 or min(days, weeks, months, read.drill_days) < 0:
            raise ValueError(hour)
    except ValueError:
        raise BadInput(
            "BACKUP_SETTINGS",
            "备份的设置不对。",
            found=f"XUEKA_BACKUP_HOUR={hour} XUEKA_BACKUP_KEEP={keep} XUEKA_BACKUP_DRILL_DAYS={drill}",
            expected="0 至 23 或 off；三个数，例如 7,4,12；天数",
            action="请改正环境变量后重新启动。",
        ) from None
    return read


def custody_file() -> Path:
    return home.keys_directory() / "backup-custody.json"


def passphrase_file() -> Path | None:
    """The file of the passphrase for backups made without asking: the named one, else the demo's key file."""
    named = os.environ.get("XUEKA_BACKUP_PASSPHRASE_FILE")
    if named:
        return Path(named)
    beside = home.keys_directory() / DEMO_KEY
    return beside if beside.exists() else None


def key_lies_beside_the_data() -> bool:
    """Whether whoever takes the data takes the key of the backups too: right for a demo only."""
    file = passphrase_file()
    return (
        seals.read_custody(custody_file()) is None
        and file is not None
        and file.parent == home.keys_directory()
    )


def make_demo_key() -> None:
    """A passphrase file beside the data, unless the installation has a way of its own."""
    if seals.read_custody(custody_file()) is None and passphrase_file() is None:
        home.secret(DEMO_KEY)


def standing_seal() -> Callable[[bytes], seals.Seal]:
    """How a backup is sealed when nobody is asked: to the custodians, else to the passphrase of a file."""
    if custody := seals.read_custody(custody_file()):
        return seals.by_custody(custody)
    if file := passphrase_file():
        return seals.by_passphrase(read_passphrase(file))
    raise Refused(
        "BACKUP_NO_SEAL",
        "还没有设定用什么封存备份。",
        action="请用 xueka backup custodians 设立保管人，或用 XUEKA_BACKUP_PASSPHRASE_FILE 指定口令文件。",
    )


def read_passphrase(file: Path) -> str:
    """The passphrase in a file, without the line end. Raises BadInput `PASSPHRASE_FILE`."""
    try:
        return file.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise BadInput(
            "PASSPHRASE_FILE",
            "口令文件无法读取。",
            found=str(file),
            action="请核对文件名和权限；文件里只放口令一行。",
        ) from None
