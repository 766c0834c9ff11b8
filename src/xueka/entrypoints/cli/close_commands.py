"""`xueka close`: the weekly close, from the proposal to the 一般缴款书."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xueka.entrypoints.cli import arguments, common
from xueka.kernel.money import format_yuan
from xueka.kernel.text import parse_date

if TYPE_CHECKING:
    from xueka.contexts.closing.api import Close, Proposal

app = typer.Typer(help="周结：对账后由两人拟制、签署，再上缴国库。", no_args_is_help=True)
WeekOf = Annotated[str, typer.Option("--week", metavar="YYYY-Www", help="哪一周，如 2026-W42。")]
Number = Annotated[str, typer.Argument(metavar="NUMBER", help="周结编号，如 2026-W42-1。")]


@app.command("list")
def list_closes(username: common.As = None, as_json: common.Json = False) -> None:
    """各周的状态、应结日；有逾期或超过 7 天未结的，退出码为 1。"""
    with common.edge(username) as actor:
        from xueka.contexts.closing import api as closing

        found = closing.weeks(actor.scope)
        totals = closing.open_weeks(actor.scope)
        names = dict(closing.closes(actor.scope).values_list("id", "number"))
        words = closing.WEEK_STATES
    result: dict[str, Any] = {
        "weeks": [
            {
                "week": each.name,
                "monday": each.monday.isoformat(),
                "sunday": each.sunday.isoformat(),
                "due": each.due.isoformat(),
                "state": each.state,
                "days_open": each.days_open,
                "overdue": each.is_overdue,
                "close": names.get(each.close_id or 0),
            }
            for each in found
        ],
        "open": totals.open,
        "open_older_than_7_days": totals.older_than_7_days,
        "overdue": totals.overdue,
    }

    def human() -> None:
        for each in found:
            late = "  逾期" if each.is_overdue else ""
            typer.echo(f"{each.name}  应结 {each.due}  {words[each.state]}  {each.days_open} 天{late}")
        typer.echo(f"未结 {totals.open} 周，其中超过 7 天的 {totals.older_than_7_days} 周。")

    common.answer(result, as_json, human)
    if totals.overdue or totals.older_than_7_days:
        raise typer.Exit(1)


@app.command()
def propose(week: WeekOf, username: common.As = None, as_json: common.Json = False) -> None:
    """一周各渠道的应缴、直达金额，以及还差什么；不能签署的退出码为 1。"""
    monday, _ = arguments.read(arguments.week, week)
    with common.edge(username) as actor:
        from xueka.contexts.closing import api as closing

        found = closing.proposal(actor.scope, monday)
    common.answer(_figures(found), as_json, lambda: _show(found))
    if found.blocks:
        raise typer.Exit(1)


@app.command()
def receipts(
    week: WeekOf,
    note: Annotated[str, typer.Option("--note", help="有缺票的，写明原因。")] = "",
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """登记一周的票据：领取的票号、开出的电子票据、缺票。"""
    monday, _ = arguments.read(arguments.week, week)
    with common.edge(username) as actor:
        from xueka.contexts.closing import api as closing

        made = closing.collect_receipts(actor, monday, note)
    counts = {"drawn": made.drawn, "issued": made.issued, "red": made.red, "lacking": made.lacking}
    common.answer({"week": week, **counts, "note": made.note}, as_json)


@app.command()
def prepare(week: WeekOf, username: common.As = None, as_json: common.Json = False) -> None:
    """拟制周结，交另一人签署。"""
    monday, _ = arguments.read(arguments.week, week)
    with common.edge(username) as actor:
        from xueka.contexts.closing import api as closing

        made = closing.prepare(actor, monday)
    _tell(made, as_json)


@app.command()
def drop(
    number: Number,
    reason: Annotated[str, typer.Option("--reason", help="原因。")],
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """作废已拟制、未签署的周结。"""
    with common.edge(username) as actor:
        from xueka.contexts.closing import api as closing

        made = closing.drop(actor, closing.close_by(actor.scope, number).id, reason)
    _tell(made, as_json)


@app.command()
def sign(number: Number, username: common.As = None, as_json: common.Json = False) -> None:
    """签署周结：内容与拟制时一致才签；账簿结到那一周的周日。"""
    with common.edge(username) as actor:
        from xueka.contexts.closing import api as closing

        made = closing.sign(actor, closing.close_by(actor.scope, number).id)
    _tell(made, as_json)


@app.command()
def remit(
    number: Number,
    channel: Annotated[str, typer.Option("--channel", help="渠道：wechat、alipay、unionpay。")],
    slip: Annotated[str, typer.Option("--slip", help="一般缴款书号。")],
    on: Annotated[str, typer.Option("--on", metavar="DATE", help="上缴日期。")],
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """登记一个渠道的款项已上缴国库。"""
    day = arguments.read(parse_date, on)
    with common.edge(username) as actor:
        from xueka.contexts.closing import api as closing

        found = closing.close_by(actor.scope, number)
        made = closing.record_remittance(actor, found.id, channel, slip, day)
        found.refresh_from_db()
    result = {
        "close": number,
        "channel": channel,
        "slip_number": made.slip_number,
        "on": made.on.isoformat(),
        "amount_fen": made.amount_fen,
        "state": found.state,
    }
    common.answer(result, as_json)


@app.command()
def verify(
    export: Annotated[
        Path | None, typer.Option("--export", metavar="DIR", help="把签名文件、签名和公钥放到这个目录。")
    ] = None,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """逐个核对周结的摘要、签名和首尾相接；有不符的退出码为 1。"""
    with common.edge(username) as actor:
        from xueka.contexts.closing import api as closing

        found = closing.check_chain(actor.scope)
        if export:
            export.mkdir(parents=True, exist_ok=True)
            if found.public_pem:
                (export / "close-sign.pub.pem").write_text(found.public_pem, "ascii")
            for each in closing.closes(actor.scope).filter(seq__isnull=False):
                document = closing.document(actor.scope, each.id)
                (export / f"{each.number}.json").write_bytes(document)
                (export / f"{each.number}.sig").write_bytes(bytes.fromhex(each.signature))
    result = {
        "closes": found.closes,
        "ok": found.ok,
        "fingerprint": found.fingerprint,
        "problems": found.problems,
    }

    def human() -> None:
        typer.echo(
            f"周结 {found.closes} 个，{'全部相符' if found.ok else '有不符'}。公钥 {found.fingerprint}"
        )
        for each in found.problems:
            typer.echo(f"  {each}")

    common.answer(result, as_json, human)
    if not found.ok:
        raise typer.Exit(1)


@app.command("back-payments")
def back_payments(username: common.As = None, as_json: common.Json = False) -> None:
    """退付登记簿。"""
    with common.edge(username) as actor:
        from xueka.contexts.closing import api as closing

        found = closing.back_payments(actor.scope)
    rows = [
        {
            "refund": each.refund_number,
            "order": each.order,
            "channel": each.channel,
            "settlement": each.settlement,
            "amount_fen": each.amount_fen,
            "state": each.state,
            "close": each.close,
            "slip_number": each.slip_number,
            "document_number": each.document_number,
            "said": each.said,
        }
        for each in found
    ]

    def human() -> None:
        for each in found:
            amount = format_yuan(each.amount_fen)
            typer.echo(f"{each.refund_number}  {amount}  {each.state}  {each.said}")

    common.answer({"back_payments": rows}, as_json, human)


@app.command("end-back-payment")
def end_back_payment(
    refund: Annotated[str, typer.Argument(metavar="REFUND", help="退款编号。")],
    document: Annotated[str, typer.Option("--document", help="财政退付的文号。")],
    on: Annotated[str, typer.Option("--on", metavar="DATE", help="财政办结的日期。")],
    refused: Annotated[bool, typer.Option("--refused", help="财政不予退付。")] = False,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """登记已上缴款项的退付结果（财政书面答复）。"""
    day = arguments.read(parse_date, on)
    with common.edge(username) as actor:
        from xueka.contexts.closing import api as closing

        found = closing.back_payment_by(actor.scope, refund)
        made = closing.end_back_payment(
            actor, found.refund_id, paid=not refused, document_number=document, on=day
        )
    common.answer({"refund": refund, "paid": not refused, "document_number": made.document_number}, as_json)


def _tell(made: "Close", as_json: bool) -> None:
    result = {
        "close": made.number,
        "state": made.state,
        "to_remit_fen": made.to_remit_fen,
        "confirmed_fen": made.confirmed_fen,
        "prepared_by": made.prepared_by,
        "signed_by": made.signed_by,
        "seq": made.seq,
        "digest": made.digest,
    }
    common.answer(result, as_json)


def _figures(found: "Proposal") -> dict[str, Any]:
    return {
        "week": found.name,
        "due": found.due.isoformat(),
        "state": found.state,
        "to_remit_fen": found.to_remit_fen,
        "confirmed_fen": found.confirmed_fen,
        "channels": [
            {
                "channel": each.channel,
                "settlement": each.settlement,
                "orders": each.orders,
                "gross_fen": each.gross_fen,
                "refunded_before_fen": each.refunded_before_fen,
                "to_remit_fen": each.to_remit_fen,
                "confirmed_fen": each.confirmed_fen,
                "fees_fen": each.fees_fen,
                "fee_bearer": each.fee_bearer,
                "carried": each.carried,
                "carried_fen": each.carried_fen,
                "statements_missing": [day.isoformat() for day in each.statements_missing],
            }
            for each in found.channels
        ],
        "breaks_open": found.breaks_open,
        "breaks_unsigned": found.breaks_unsigned,
        "receipts": {
            "drawn": found.receipts.drawn,
            "issued": found.receipts.issued,
            "red": found.receipts.red,
            "lacking": found.receipts.lacking,
            "collected": found.receipts.collected,
        },
        "blocks": [
            {"code": each.code, "message": each.text, "action": each.action, "count": each.count}
            for each in found.blocks
        ],
    }


def _show(found: "Proposal") -> None:
    from xueka.contexts.closing.api import WEEK_STATES
    from xueka.contexts.payments.api import CHANNELS, SETTLEMENTS

    typer.echo(f"{found.name}  {WEEK_STATES[found.state]}  应结 {found.due}")
    for each in found.channels:
        name = f"{CHANNELS[each.channel]}（{SETTLEMENTS[each.settlement]}）"
        typer.echo(
            f"  {name}  {each.orders} 笔  收 {format_yuan(each.gross_fen)}"
            f"  已退 {format_yuan(each.refunded_before_fen)}  应缴 {format_yuan(each.to_remit_fen)}"
            f"  直达 {format_yuan(each.confirmed_fen)}  手续费 {format_yuan(each.fees_fen)}"
        )
    typer.echo(f"合计应缴 {format_yuan(found.to_remit_fen)}，直达国库 {format_yuan(found.confirmed_fen)}。")
    for block in found.blocks:
        typer.echo(f"  还不能签署：{block.text}{block.action}")
