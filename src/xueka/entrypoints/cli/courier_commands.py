"""`xueka courier`: what couriers compute and want computed."""

from typing import Annotated

import typer

from xueka.entrypoints.cli import common

app = typer.Typer(help="承运商。", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """承运商。"""


@app.command("sf-digest")
def sf_digest(
    message: Annotated[str, typer.Option("--msg", metavar="TEXT", help="msgData，一字不差。")],
    timestamp: Annotated[str, typer.Option(metavar="T", help="请求的 timestamp。")],
    checkword: Annotated[str, typer.Option(metavar="W", help="丰桥校验码。")],
    as_json: common.Json = False,
) -> None:
    """顺丰丰桥的 msgDigest：base64(md5(urlencode(msgData+timestamp+checkword)))。"""
    common.without_database()
    from xueka.contexts.couriers.api import sf_digest as digest

    found = digest(message, timestamp, checkword)
    common.answer({"digest": found}, as_json, lambda: typer.echo(found))
