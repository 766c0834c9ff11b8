"""`xueka sandbox`: start any counterpart's simulator alone, and see which ones there are."""

import subprocess
import sys
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer

from xueka.entrypoints.cli import common
from xueka.kernel.errors import Conflict, Refused, XuekaError
from xueka.platform.database import home
from xueka.simulation import counterparts
from xueka.simulation.counterparts import SIMULATORS, Simulator

app = typer.Typer(help="对接方的模拟器。", no_args_is_help=True)
READY_LIMIT = 60.0  # seconds


class Faults(StrEnum):
    none = "none"
    light = "light"
    heavy = "heavy"


class Sign(StrEnum):
    v1 = "v1"
    v1sm2 = "v1sm2"
    both = "v1,v1sm2"


Port = Annotated[int, typer.Option(help="端口；0：上次的，或任一空闲的。", min=0, max=65535)]
WhichFaults = Annotated[Faults, typer.Option(help="差错旋钮：none、light、heavy。")]
Dial = Annotated[str, typer.Option(help="单项差错，如 drop=0.2,errors=0.1。")]
Seed = Annotated[int, typer.Option(help="随机种子。", min=0)]
Speed = Annotated[float, typer.Option(help="时间缩短的倍数。", min=0.001)]


@app.callback()
def _group() -> None:
    """对接方的模拟器：各是单独的进程，只认接口文档。"""


@app.command("list")
def list_(as_json: common.Json = False) -> None:
    """所有模拟器：名称、是否在运行、地址、资料放在哪里、接口文档。"""
    rows = []
    for each in SIMULATORS.values():
        address = each.address()
        rows.append(
            {
                "name": each.name,
                "label": each.label,
                "running": bool(address) and counterparts.listens(address),
                "address": address,
                "card": str(each.card),
                "city": str(each.home / "city"),
                "document": f"docs/interfaces/{each.page}.md",
            }
        )

    def human() -> None:
        for row in rows:
            now = f"运行中 {row['address']}" if row["running"] else "没有运行"
            typer.echo(f"{row['name']:<13}{row['label']}：{now}")
            typer.echo(f"{'':<13}对方资料 {row['card']}，说明 {row['document']}")
        typer.echo("启动：xueka sandbox 名称；虚拟读卡器和打印机：xueka demo counter。")

    common.answer({"simulators": rows}, as_json, human)


def _run(one: Simulator, more: list[str], speed: float) -> None:
    """Start it, say where it is, and keep it until Ctrl-C or SIGTERM."""
    known = one.address()
    if known and counterparts.listens(known):
        raise Conflict(
            "ALREADY_RUNNING",
            f"{one.label}已在运行。",
            found=known,
            action="请使用该地址，或先停止它；另起一套请设置 XUEKA_HOME。",
        )
    home.made_home()
    (one.home / "city").mkdir(parents=True, exist_ok=True)
    missing = [each for each in one.needs if not (one.home / "city" / each).exists()]
    if missing:
        raise Refused(
            "CITY_PAPERS_MISSING",
            f"{one.label}启动前要有本方的文件。",
            found=f"{one.home / 'city'} 中没有 {'、'.join(missing)}",
            action=f"请按 docs/interfaces/{one.page}.md 放入；演示城市已放好。",
        )
    before = one.card.stat().st_mtime_ns if one.card.exists() else 0
    process = subprocess.Popen(one.command(*more, speed=speed))
    try:
        until = time.monotonic() + READY_LIMIT
        while not one.card.exists() or one.card.stat().st_mtime_ns == before:
            if process.poll() is not None or time.monotonic() > until:
                raise XuekaError(
                    "SIMULATOR_NOT_READY",
                    f"{one.label}没有启动成功。",
                    found=f"退出码 {process.poll()}",
                    action=f"请看上面的输出；说明见 docs/interfaces/{one.page}.md。",
                )
            time.sleep(0.05)
        typer.echo(f"{one.label}已启动：{one.address()}")
        typer.echo(f"对方交来的资料（含控制口令）：{one.card}")
        typer.echo(f"交给对方的文件放在：{one.home / 'city'}，内容见 docs/interfaces/{one.page}.md")
        typer.echo("按 Ctrl-C 停止。")
        sys.stdout.flush()
        code = process.wait()
        raise XuekaError("SIMULATOR_ENDED", f"{one.label}自己退出了。", found=f"退出码 {code}")
    except KeyboardInterrupt:
        pass
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _add(one: Simulator) -> None:
    """What all take; the counterparts of the exchange choose how is signed, SF whose labels are printed."""

    def start(port: int, faults: Faults, dial: str, seed: int, speed: float, *own: str) -> None:
        more = ["--port", str(port), "--faults", faults.value, "--seed", str(seed), *own]
        _run(one, more + (["--dial", dial] if dial else []), speed)

    def plain(
        port: Port = 0,
        faults: WhichFaults = Faults.none,
        dial: Dial = "",
        seed: Seed = 1,
        speed: Speed = 1.0,
    ) -> None:
        start(port, faults, dial, seed, speed)

    def signing(
        port: Port = 0,
        faults: WhichFaults = Faults.none,
        dial: Dial = "",
        seed: Seed = 1,
        speed: Speed = 1.0,
        sign: Annotated[Sign, typer.Option(help="签名版本（docs/interfaces/exchange.md §3）。")] = Sign.v1,
    ) -> None:
        start(port, faults, dial, seed, speed, "--sign", sign.value)

    def labelling(
        port: Port = 0,
        faults: WhichFaults = Faults.none,
        dial: Dial = "",
        seed: Seed = 1,
        speed: Speed = 1.0,
        labels: Annotated[bool, typer.Option("--labels", help="顺丰云打印面单。")] = False,
    ) -> None:
        start(port, faults, dial, seed, speed, *(["--labels"] if labels else []))

    own: dict[str, Callable[..., None]] = {"exchange": signing, "couriers": labelling}
    made = own.get(one.module or one.name, plain)
    app.command(one.name, help=f"{one.label}（docs/interfaces/{one.page}.md）。")(made)


for _one in SIMULATORS.values():
    _add(_one)
