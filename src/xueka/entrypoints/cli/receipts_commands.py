"""`xueka receipts`: fiscal e-receipts, what lacks one, and the numbers drawn for them."""

from datetime import date, timedelta
from typing import Annotated, Any

import typer

from xueka.entrypoints.cli import arguments, common
from xueka.kernel.money import format_yuan
from xueka.kernel.text import parse_date

app = typer.Typer(help="财政电子票据。", no_args_is_help=True)

_First = Annotated[str | None, typer.Option("--from", metavar="DATE", help="从哪一天起；缺省七天前。")]
_Last = Annotated[str | None, typer.Option("--to", metavar="DATE", help="到哪一天止（含）；缺省今天。")]


@app.command("list")
def list_(
    first: _First = None, last: _Last = None, user: common.As = None, as_json: common.Json = False
) -> None:
    """这些天开具的票据、还缺票据的款项和票号库存；有缺票的退出码为 1。"""
    begins, ends = _days(first, last)
    with common.edge(user) as actor:
        from xueka.contexts.receipts import api as receipts

        issued = [
            {
                "id": each.id,
                "order": each.order.number,
                "code": each.code,
                "number": each.number,
                "red": each.refund_id is not None,
                "amount_fen": each.amount_fen,
                "state": each.state,
                "issued_at": each.issued_at,
            }
            for each in receipts.issued(actor.scope, begins, ends)
        ]
        lacking = [
            {
                "order": each.order,
                "payment": each.out_trade_no,
                "red": each.red,
                "amount_fen": each.amount_fen,
                "since": each.since,
                "why": each.why,
            }
            for each in receipts.lacking(actor.scope, begins, ends)
        ]
        found = receipts.stock(actor.scope)
    stock = {"left": found.left, "old": found.old, "drawn": found.drawn, "used": found.used, "low": found.low}
    result = {"from": begins, "to": ends, "receipts": issued, "lacking": lacking, "stock": stock}
    common.answer(result, as_json, lambda: _show(result))
    raise typer.Exit(1 if lacking else 0)


@app.command()
def verify(
    number: Annotated[str | None, typer.Argument(metavar="NUMBER", help="票据号码；缺省核验全部。")] = None,
    user: common.As = None,
    as_json: common.Json = False,
) -> None:
    """核验存档的票据原件：签名、印章、票面；有一张不对的退出码为 1。"""
    with common.edge(user) as actor:
        from xueka.contexts.receipts import api as receipts

        rows = receipts.rows(actor.scope).filter(state=receipts.KEPT).order_by("id")
        if number:
            rows = rows.filter(number=number)
        ids = list(rows.values_list("id", flat=True))
        with common.progress("核验票据", len(ids)) as step:
            found = []
            for receipt_id in ids:
                found.append(receipts.verify(actor.scope, receipt_id))
                step(1)
    bad = [
        {"code": each.code, "number": each.number, "problems": list(each.problems)}
        for each in found
        if not each.good
    ]
    result: dict[str, Any] = {"checked": len(found), "good": len(found) - len(bad), "bad": bad}

    def human() -> None:
        typer.echo(f"核验 {result['checked']} 张，{result['good']} 张相符。")
        for each in bad:
            typer.echo(f"  {each['code']} {each['number']}：{'、'.join(each['problems'])}")

    common.answer(result, as_json, human)
    raise typer.Exit(1 if bad or (number and not found) else 0)


@app.command()
def draw(
    count: Annotated[int, typer.Argument(metavar="N", help="领取多少个票号。")],
    user: common.As = None,
    as_json: common.Json = False,
) -> None:
    """向财政部门领取一段票号；没有领到的退出码为 1。"""
    with common.acting(user) as actor:
        from xueka.contexts.receipts import api as receipts

        made = receipts.draw_stock(actor, count)
        left = receipts.stock(actor.scope).left
    said = made.refused or ("" if made.first is not None else "财政部门还没有答复，会自动再问")
    result = {
        "code": made.code,
        "first": None if made.first is None else f"{made.first:010d}",
        "count": made.count,
        "refused": said,
        "left": left,
    }
    text = f"已领取 {made.count} 个票号，第一个 {result['first']}；库存 {left}。"
    common.answer(result, as_json, lambda: typer.echo(said or text))
    raise typer.Exit(0 if made.first is not None else 1)


def _days(first: str | None, last: str | None) -> tuple[date, date]:
    from xueka.kernel import clock

    ends = arguments.read(parse_date, last) if last else clock.today()
    return arguments.read(parse_date, first) if first else ends - timedelta(days=6), ends


def _show(result: dict[str, Any]) -> None:
    typer.echo(f"{result['from']} 至 {result['to']}：开具 {len(result['receipts'])} 张")
    for each in result["receipts"]:
        kind = "红票" if each["red"] else "蓝票"
        amount = format_yuan(each["amount_fen"])
        typer.echo(f"  {each['code']} {each['number']}  {kind}  {amount}  {each['order']}")
    for each in result["lacking"]:
        typer.echo(f"  缺票 {each['order']} {format_yuan(each['amount_fen'])}  {each['why']}")
    stock = result["stock"]
    low = "，该领票号了" if stock["low"] else ""
    typer.echo(f"票号库存 {stock['left']}（领取 {stock['drawn']}，用掉 {stock['used']}）{low}")
