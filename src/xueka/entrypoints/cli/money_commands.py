"""Amounts of money on the command line. No database is needed."""

import sys
from typing import Annotated

import typer

from xueka.entrypoints.cli import arguments, common
from xueka.kernel.money import capitals as in_capitals
from xueka.kernel.money import parse_yuan

app = typer.Typer(help="金额。", no_args_is_help=True)


@app.callback()
def money() -> None:
    """金额。"""


@app.command(context_settings={"ignore_unknown_options": True})
def capitals(
    amount: Annotated[str, typer.Argument(metavar="AMOUNT_YUAN", help="以元为单位的金额，例如 3650712.00。")],
    as_json: common.Json = False,
) -> None:
    """金额的中文大写。"""
    fen = arguments.read(parse_yuan, amount)
    text = in_capitals(fen)
    common.answer({"amount_fen": fen, "amount_text": text}, as_json, lambda: sys.stdout.write(f"{text}\n"))
