"""Channel statements on the command line: what a file says, and whether it agrees with itself."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xueka.entrypoints.cli import arguments, common
from xueka.kernel.text import parse_date

if TYPE_CHECKING:
    from xueka.contexts.treasury.api import Checked

app = typer.Typer(help="渠道账单。", no_args_is_help=True)

_SHOWN = 20


class Channel(StrEnum):
    WECHAT = "wechat"
    WECHAT_FUND = "wechat-fund"
    WECHAT_NONTAX = "wechat-nontax"
    ALIPAY = "alipay"
    ALIPAY_FUND = "alipay-fund"
    UNIONPAY = "unionpay"


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="渠道给出的账单，可以是压缩包。")],
    channel: Annotated[Channel, typer.Option("--channel", help="哪一种账单。")],
    sha1: Annotated[str, typer.Option("--sha1", metavar="HEX", help="渠道告知的 SHA-1 摘要。")] = "",
    as_json: common.Json = False,
) -> None:
    """读一份账单，核对它自己的合计；有不符之处时退出码为 1。不碰数据库。"""
    raw = common.content_of(file)
    common.without_database()
    from xueka.contexts.treasury import api as treasury

    checked = treasury.check(file.name, raw, channel.value, sha1=sha1)
    result = checked.as_dict()
    common.answer(result, as_json, lambda: _show(checked))
    raise typer.Exit(1 if checked.errors else 0)


@app.command()
def take(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="渠道给出的账单，可以是压缩包。")],
    channel: Annotated[str, typer.Option("--channel", help="渠道：wechat、alipay、unionpay、nontax。")],
    day: Annotated[str, typer.Option("--day", metavar="YYYY-MM-DD", help="哪一天的账单。")],
    fund: Annotated[bool, typer.Option("--fund", help="是资金账单，不是交易账单。")] = False,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """收下一天的账单，原样保存；有问题的账单留底但不参与对账，退出码为 1。"""
    raw = common.content_of(file)
    on = arguments.read(parse_date, day)
    with common.edge(username) as actor:
        from xueka.contexts.treasury import api as treasury

        kept = treasury.take_statement(actor, channel, "fund" if fund else "trade", on, raw, file.name)
        result = {
            "channel": kept.channel,
            "day": kept.day.isoformat(),
            "usable": kept.usable,
            "sm3": kept.sm3,
            "rows": kept.rows,
            "amount_fen": kept.amount_fen,
            "refund_fen": kept.refund_fen,
            "fee_fen": kept.fee_fen,
            "errors": kept.errors,
        }
    common.answer(result, as_json)
    raise typer.Exit(0 if kept.usable else 1)


def _show(checked: "Checked") -> None:
    from xueka.kernel.money import format_yuan

    write = sys.stdout.write
    write(f"{checked.rows} 行：支付 {checked.payments} 笔 {format_yuan(checked.amount_fen)}，")
    write(f"退款 {checked.refunds} 笔 {format_yuan(checked.refund_fen)}，")
    write(f"手续费净额 {format_yuan(checked.fee_fen)}\n")
    for error in checked.errors[:_SHOWN]:
        write(f"{error.message}（{error.code}）\n")
    if len(checked.errors) > _SHOWN:
        write(f"……共 {len(checked.errors)} 处，全部见 --json。\n")
