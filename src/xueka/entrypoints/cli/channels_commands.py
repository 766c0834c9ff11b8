"""`xueka channels`: our accounts at the payment channels."""

from typing import Annotated

import typer

from xueka.entrypoints.cli import common

app = typer.Typer(help="支付渠道。", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """支付渠道。"""


@app.command()
def introduce(
    site: Annotated[str, typer.Option(help="本系统对外的网址，渠道向它发通知。")],
    fee_bearer: Annotated[str, typer.Option(help="手续费由谁承担：centre、provider、none。")] = "provider",
    user: common.As = None,
    as_json: common.Json = False,
) -> None:
    """按渠道交来的参数文件登记商户号和地址，并交出本方公钥。"""
    with common.edge(user) as actor:
        from xueka.contexts.payments import api as payments

        found = payments.introduce(actor, site, fee_bearer=fee_bearer)
        rows = [
            {
                "channel": each.code,
                "merchant_id": each.merchant_id,
                "gateway": each.gateway,
                "notify_url": each.notify_url,
                "settlement": each.settlement,
                "fee_bearer": each.fee_bearer,
            }
            for each in found
        ]

    def human() -> None:
        for row in rows:
            name = payments.CHANNELS[row["channel"]]
            typer.echo(f"{name}：商户号 {row['merchant_id']}，通知到 {row['notify_url']}")

    common.answer({"channels": rows}, as_json, human)
