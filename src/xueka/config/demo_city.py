"""The demo city of the first start, and who may log in to it."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from xueka.kernel.errors import Refused
from xueka.platform.audit.models import Entry
from xueka.platform.database import home, migrate, server
from xueka.platform.identity import demo as accounts
from xueka.simulation import counterparts, demo, partners
from xueka.simulation.city_size import build

BUILDING, BUILT = "building", "built"
KEPT = {
    "backups",
    "calendar",
    "database",
    "demo-city",
    "keys",
    "run",
    "serve.json",
    "serve.lock",
}  # by `_clear`


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
    tell("首次启动：正在建立演示城市，约需三到五分钟……")
    _note().write_text(BUILDING, "ascii")
    demo.build_demo_city()
    _note().write_text(BUILT, "ascii")


def build_whole(order: build.Plan, tell: Callable[[str], None]) -> dict[str, Any]:
    """Make a city of full size in an empty home; says what was made (`build`).

    One that was interrupted half-way is cleared and made anew. Raises Refused `HOME_NOT_EMPTY`, or
    `SERVER_NOT_OURS` where a server is named by `DATABASE_URL`.
    """
    if not server.embedded():
        raise Refused(
            "SERVER_NOT_OURS",
            "演示城市只建在自带的数据库里。",
            found="环境变量 DATABASE_URL",
            action="请去掉 DATABASE_URL，用 XUEKA_HOME 指定一个空目录。",
        )
    if _note().exists() and _note().read_text("ascii") == BUILDING:
        tell("上次没有建完演示城市，重新开始。")
        _clear()
    if Entry.objects.exists():
        raise build.not_empty()
    _note().write_text(BUILDING, "ascii")
    made = build.build(order, tell)
    _note().write_text(BUILT, "ascii")
    return made


def is_built() -> bool:
    """Whether this home holds a complete demo city."""
    return _note().exists() and _note().read_text("ascii") == BUILT


def ports() -> dict[str, int]:
    """Where the counterparts of this start will listen; empty where there are none to run."""
    if not (is_built() and demo.has_bureau()):
        return {}
    return {
        name: each.port()
        for name, each in counterparts.SIMULATORS.items()
        if name != "bureau" and (each.card.exists() or not each.told)
    }


def logins(ports: Mapping[str, int]) -> list[str]:
    """Lines that name one demo log-in per role, a partner's, and where the phones are whose short messages
    hold the families' codes; empty where there is no demo city.
    """
    lines = [*accounts.login_lines(), *partners.login_lines(), *demo.family_lines()] if is_built() else []
    if ports:
        lines.append(f"演示手机收到的短信：http://127.0.0.1:{ports['messages']}/phones")
        lines.append(f"演示邮箱收到的邮件：http://127.0.0.1:{ports['mail']}/boxes")
        lines.append(f"演示京通（家长从这里登录、缴费）：http://127.0.0.1:{ports['jingtong']}/")
        lines.append("各模拟器的地址、资料在哪里：python3 run.py sandbox list")
    return lines


def _note() -> Path:
    return home.home() / "demo-city"


def _clear() -> None:
    server.recreate_database()
    for path in home.home().iterdir():
        if path.name not in KEPT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    migrate.prepare()
