"""Mail on the command line."""

import signal
import threading

import typer

from xueka.entrypoints.cli import common

app = typer.Typer(help="邮件。", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """邮件。"""


@app.command()
def listen() -> None:
    """接收来信的进程；地址由环境变量 XUEKA_MAIL_LISTEN 指定；serve 会启动它。"""
    with common.database():
        from django.conf import settings
        from django.db import connections

        from xueka.platform.mail import listener, smtp

        host, _, port = settings.MAIL_LISTEN.rpartition(":")
        host = host.strip("[]")
        connections.close_all()
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        made = listener.Listener(host, int(port), smtp.our_addresses, settings.MAIL_LARGEST)
        listener.tell(settings.MAIL_PARTNER.parent / "city", host, made.start())
        ended.wait()
        made.stop()
