"""`xueka reconcile`: our payments beside channels, finance office and books."""

import sys
from typing import Annotated, Any

import typer

from xueka.entrypoints.cli import arguments, common

_SHOWN = 30


def register(app: typer.Typer) -> None:
    app.command("reconcile")(reconcile)


def reconcile(
    week: Annotated[str, typer.Option("--week", metavar="YYYY-Www", help="哪一周，如 2026-W42。")],
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """对一周的账：订单、渠道账单、财政确认、账簿四方核对；有未签认的差错时退出码为 1。"""
    first, last = arguments.read(arguments.week, week)
    with common.edge(username) as actor:
        from xueka.contexts.closing import api as closing
        from xueka.contexts.treasury import api as treasury

        found = treasury.reconcile(actor, first, last)
        unsigned = (
            treasury.open_breaks(actor.scope).exclude(state="signed").filter(last_run=found.run).count()
        )
        result = {
            "orders": found.orders,
            "matched": found.matched,
            "breaks": [
                {
                    "kind": each.kind,
                    "channel": each.channel,
                    "order": each.number,
                    "channel_id": each.channel_id,
                    "amount_fen": each.fen,
                    "day": each.day,
                    "key": each.key,
                }
                for each in found.breaks
            ],
            "surplus_fen": found.run.surplus_fen,
            "shortage_fen": found.run.shortage_fen,
            "closed": closing.is_closed(actor.scope, first),
            "digest": found.run.digest,
        }
    common.answer(result, as_json, lambda: _show(result))
    raise typer.Exit(1 if unsigned else 0)


def _show(result: dict[str, Any]) -> None:
    from xueka.contexts.treasury.api import BREAK_KINDS
    from xueka.kernel.money import format_yuan

    write = sys.stdout.write
    write(f"{result['orders']} 笔，相符 {result['matched']}，差错 {len(result['breaks'])} 项；")
    write(f"长款 {format_yuan(result['surplus_fen'])}，短款 {format_yuan(result['shortage_fen'])}\n")
    for each in result["breaks"][:_SHOWN]:
        amount = format_yuan(each["amount_fen"])
        write(f"  {BREAK_KINDS[each['kind']]}  {each['channel']}  {each['key']}  {amount}\n")
