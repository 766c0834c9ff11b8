"""`xueka jingtong`: the citizens' sign-on."""

from typing import Annotated

import typer

from xueka.entrypoints.cli import common

app = typer.Typer(help="京通登录。", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """京通登录。"""


@app.command()
def introduce(
    site: Annotated[str, typer.Option(help="本系统对外的网址，市民经京通来到这里。")],
    user: common.As = None,
    as_json: common.Json = False,
) -> None:
    """写出京通要登记的入口和回跳地址。"""
    with common.edge(user) as actor:
        from xueka.contexts.families import api as families

        path = families.introduce(actor, site)
    common.answer({"file": path}, as_json, lambda: typer.echo(f"已写好，请交给京通：{path}"))
