"""`xueka tariff`: what a replacement costs, and the next tariff from a file."""

from pathlib import Path
from typing import Annotated

import typer

from xueka.entrypoints.cli import common
from xueka.kernel.errors import BadInput
from xueka.kernel.money import format_yuan

app = typer.Typer(help="补换卡收费标准。", no_args_is_help=True)


@app.command()
def show(as_json: common.Json = False) -> None:
    """各版收费标准，最新的在前。"""
    with common.database():
        from xueka.contexts.payments import api as payments

        found = [each.as_json() for each in payments.tariffs()]
        for line in (line for each in found for line in each["line"]):
            line["amount_fen"] = line.pop("fen")  # the file says fen; an answer names its amounts
        words = payments.REASONS

    def human() -> None:
        for each in found:
            typer.echo(f"{each['version']}（{each['valid_from']} 起）")
            for line in each["line"]:
                reasons = "、".join(words[reason] for reason in line["reasons"])
                kinds = f"，卡种 {'、'.join(line['kinds'])}" if line["kinds"] else ""
                before = f"，此前 {line['before']} 次及以上" if line["before"] else ""
                price = format_yuan(line["amount_fen"]) if line["amount_fen"] else f"免费（{line['why']}）"
                price += "（罚没收入）" if line.get("fine") else ""
                typer.echo(f"  {reasons}{kinds}{before}：{price}")

    common.answer({"tariffs": found}, as_json, human)


@app.command()
def load(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="TOML 文件，格式见自带的 tariff.toml。")],
    user: common.As = None,
    as_json: common.Json = False,
) -> None:
    """采用一版收费标准，从文件里的日期起执行；已下的订单不变。"""
    try:
        raw = file.read_bytes()
    except OSError:
        raise BadInput("FILE_UNREADABLE", "文件读不到。", found=str(file), action="请核对路径。") from None
    with common.edge(user) as actor:
        from xueka.contexts.payments import api as payments

        found = payments.adopt_tariff(actor, raw, file.name)
    common.answer(
        {"version": found.version, "valid_from": found.valid_from.isoformat(), "lines": len(found.lines)},
        as_json,
        lambda: typer.echo(f"已采用收费标准 {found.version}，{found.valid_from} 起执行。"),
    )
