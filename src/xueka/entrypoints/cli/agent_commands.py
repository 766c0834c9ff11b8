"""The issuing agent by the server's own command; a counter PC without the server has `xueka-agent`."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    app.command("agent")(agent)


def agent(
    server: Annotated[str, typer.Option("--server", metavar="URL", help="服务器地址。")],
    reader: Annotated[
        list[str] | None, typer.Option("--reader", metavar="NAME", help="读卡器名称，可写一部分；可重复。")
    ] = None,
    printer: Annotated[
        list[str] | None, typer.Option("--printer", metavar="NAME", help="打印机：名称=ipp://地址；可重复。")
    ] = None,
    enrol: Annotated[str | None, typer.Option("--enrol", metavar="CODE", help="一次性登记码。")] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="柜台名称，登记时用。")] = None,
    state: Annotated[Path | None, typer.Option("--state", metavar="DIR", help="状态目录。")] = None,
) -> None:
    """发卡代理：驱动柜台的读卡器和证卡打印机，直到被停止。"""
    from xueka.agent.__main__ import main

    arguments = ["--server", server]
    for option, values in (("--reader", reader), ("--printer", printer)):
        arguments += [part for value in values or [] for part in (option, value)]
    for option, value in (("--enrol", enrol), ("--name", name), ("--state", state)):
        arguments += [option, str(value)] if value is not None else []
    raise typer.Exit(main(arguments))
