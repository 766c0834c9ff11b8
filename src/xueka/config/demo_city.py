"""The demo city of the first start, and who may log in to it."""

import shutil
from collections.abc import Callable
from pathlib import Path

from xueka.platform.audit.models import Entry
from xueka.platform.database import home, migrate, server
from xueka.platform.identity import demo as accounts
from xueka.simulation import demo

BUILDING, BUILT = "building", "built"
KEPT = {"calendar", "database", "demo-city", "keys", "run", "serve.json", "serve.lock"}  # by `_clear`


def build_once(tell: Callable[[str], None]) -> None:
    """Make the demo city in an empty home. One that was interrupted half-way is cleared and made anew.

    A home that holds data of its own, or a server named by `DATABASE_URL`, is left alone.
    """
    if not server.embedded():
        return
    state = _note().read_text("ascii") if _note().exists() else ""
    if state == BUILT or (not state and Entry.objects.exists()):  # whatever anybody has done is on record
        return
    if state == BUILDING:
        tell("上次没有建完演示城市，重新开始。")
        _clear()
    _note().write_text(BUILDING, "ascii")
    tell("首次启动：正在建立演示城市，约需一两分钟……")
    demo.build_demo_city()
    _note().write_text(BUILT, "ascii")


def is_built() -> bool:
    """Whether this home holds a complete demo city."""
    return _note().exists() and _note().read_text("ascii") == BUILT


def logins() -> list[str]:
    """Lines that name one demo log-in per role; empty where there is no demo city."""
    return accounts.login_lines() if is_built() else []


def _note() -> Path:
    return home.home() / "demo-city"


def _clear() -> None:
    server.recreate_database()
    for path in home.home().iterdir():
        if path.name not in KEPT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    migrate.prepare()
