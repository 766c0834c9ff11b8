"""Frames of the non-tax platform on the command line."""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from xueka.entrypoints.cli import arguments, common
from xueka.kernel.errors import BadInput

app = typer.Typer(help="非税收入收缴平台的报文。", no_args_is_help=True)

VARIABLE = "XUEKA_NONTAX_TOKEN"


@app.callback()
def _group() -> None:
    """非税收入收缴平台的报文。"""


@app.command()
def decode(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="一帧 CNNONTAX 报文。")],
    as_json: common.Json = False,
) -> None:
    """读一帧报文，核对长度和校验码；令牌取自环境变量 XUEKA_NONTAX_TOKEN。有不符之处时退出码为 1。"""
    token = os.environ.get(VARIABLE, "")
    if not token:
        action = f"请先设置 {VARIABLE}。"
        arguments.wrong_usage(BadInput("TOKEN_MISSING", "没有给出报文令牌。", where=VARIABLE, action=action))
    frame = common.content_of(file)
    common.without_database()
    from xueka.contexts.payments.api import cnnontax

    found = cnnontax.decode(frame, token)
    result = {
        "msg_no": found.message.msg_no,
        "length_ok": found.length_ok,
        "mac_ok": found.mac_ok,
        "vouchers": len(found.message.vouchers),
    }
    common.answer(result, as_json, lambda: _show(result))
    raise typer.Exit(0 if found.length_ok and found.mac_ok else 1)


@app.command()
def listen() -> None:
    """接收财政缴款确认的进程；地址由环境变量 XUEKA_NONTAX_LISTEN 指定；serve 会启动它。"""
    with common.database():
        from django.conf import settings
        from django.db import connections

        from xueka.entrypoints.rest import confirmations

        host, _, port = settings.NONTAX_LISTEN.rpartition(":")
        host = host.strip("[]")
        connections.close_all()
        with confirmations.Listener(host, int(port)) as listener:
            confirmations.tell(settings.FINANCE_PARTNER.parent / "city", host, listener.port)
            ended = lambda number, frame: threading.Thread(target=listener.shutdown).start()  # noqa: E731
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, ended)
            listener.serve_forever(0.2)


def _show(result: dict[str, Any]) -> None:
    words = {True: "相符", False: "不符"}
    sys.stdout.write(
        f"报文 {result['msg_no']}，凭证 {result['vouchers']} 份；"
        f"长度{words[result['length_ok']]}，校验码{words[result['mac_ok']]}。\n"
    )
