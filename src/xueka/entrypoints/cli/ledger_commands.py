"""`xueka ledger`: the books added up anew, closed, and fees that were paid in."""

from typing import Annotated

import typer

from xueka.entrypoints.cli import arguments, common
from xueka.kernel.money import format_yuan
from xueka.kernel.text import parse_date

app = typer.Typer(help="账簿。", no_args_is_help=True)


@app.command()
def verify(as_json: common.Json = False) -> None:
    """逐笔核对借贷，合计各科目；有不平的退出码为 1。"""
    with common.database():
        from xueka.contexts.ledger import api as ledger
        from xueka.platform.identity.scope import EVERYWHERE

        found = ledger.check_books(EVERYWHERE)
        titles = {code: account.title for code, account in ledger.ACCOUNTS.items()}

    def human() -> None:
        typer.echo(f"分录 {found.entries} 笔，{'借贷相等' if found.balanced else '有不平的分录'}。")
        for code, fen in found.accounts.items():
            typer.echo(f"  {titles[code]}（{code}） {format_yuan(fen)}")
        for key in found.unbalanced:
            typer.echo(f"  不平：{key}")

    result = {
        "entries": found.entries,
        "balanced": found.balanced,
        "accounts": {f"{code}_fen": fen for code, fen in found.accounts.items()},
        "unbalanced": found.unbalanced,
    }
    common.answer(result, as_json, human)
    if not found.balanced:
        raise typer.Exit(1)


@app.command()
def fees(
    bearer: Annotated[str, typer.Argument(metavar="BEARER", help="由谁承担：centre、provider。")],
    fen: Annotated[int, typer.Argument(metavar="FEN", help="补足多少分。")],
    slip: Annotated[str, typer.Option("--slip", help="银行回单号，只记一次。")],
    on: Annotated[str, typer.Option("--on", metavar="DATE", help="到账日期。")],
    user: common.As = None,
    as_json: common.Json = False,
) -> None:
    """承担方已把渠道手续费补入归集户：记账，说出还差多少。"""
    day = arguments.read(parse_date, on)
    with common.edge(user) as actor:
        from xueka.contexts.treasury import api as treasury

        left = treasury.take_fees(actor, bearer, fen, slip, day)
    common.answer({"left_fen": left}, as_json, lambda: typer.echo(f"已记账，尚差 {format_yuan(left)}。"))


@app.command()
def close(
    until: Annotated[str, typer.Argument(metavar="DATE", help="结到哪一天（含），例如 2024-09-30。")],
    user: common.As = None,
    as_json: common.Json = False,
) -> None:
    """结账：此后不能再记这一天及以前的账。"""
    day = arguments.read(parse_date, until)
    with common.edge(user) as actor:
        from xueka.contexts.ledger import api as ledger

        found = ledger.close_period(actor, day)
    common.answer(
        {
            "until": found.until.isoformat(),
            "accounts": {f"{code}_fen": fen for code, fen in found.totals.items()},
        },
        as_json,
        lambda: typer.echo(f"已结账到 {found.until}。"),
    )
