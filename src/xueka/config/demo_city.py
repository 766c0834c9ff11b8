"""The demo city of the first start, and who may log in to it."""

import importlib.util
import shutil
from collections.abc import Callable

from xueka.platform.database import home, migrate, server

BUILDING, BUILT = "building", "built"
KEPT = {"calendar", "database", "demo-city", "keys", "run", "serve.json", "serve.lock"}  # by `_clear`


def build_once(tell: Callable[[str], None]) -> None:
    """Make the demo city in an empty home. One that was interrupted half-way is cleared and made anew.

    A home that holds data of its own, or a server named by `DATABASE_URL`, is left alone.
    """
    if not server.embedded() or importlib.util.find_spec("xueka.simulation.demo") is None:
        return
    from xueka.simulation import demo

    note = home.home() / "demo-city"
    state = note.read_text("ascii") if note.exists() else ""
    if state == BUILT or (not state and _has_data()):
        return
    if state == BUILDING:
        tell("上次没有建完演示城市，重新开始。")
        _clear()
    note.write_text(BUILDING, "ascii")
    tell("首次启动：正在建立演示城市，约需一两分钟……")
    demo.build_demo_city()
    note.write_text(BUILT, "ascii")


def is_built() -> bool:
    """Whether this home holds a demo city, and so runs the stand-ins of its counterparts."""
    note = home.home() / "demo-city"
    return note.exists() and note.read_text("ascii") == BUILT


def logins() -> list[str]:
    """Lines that name one demo log-in per role; empty where there is no demo city."""
    if not is_built():
        return []
    from xueka.platform.identity import demo

    return demo.login_lines()


def _has_data() -> bool:
    from xueka.platform.audit.models import Entry

    return Entry.objects.exists()  # whatever anybody has done here is on record


def _clear() -> None:
    server.recreate_database()
    for path in home.home().iterdir():
        if path.name not in KEPT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    migrate.prepare()
