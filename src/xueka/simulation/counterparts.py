"""Payment channels, finance office, message gateway, couriers and mail server of a demo city.

Processes of their own: each keeps its things below XUEKA_HOME/<name>; its visiting card there (partner.json)
says where it listens and what it hands over (§1 of each page of docs/interfaces).
"""

import json
import socket
import sys
from pathlib import Path

from xueka.platform.database import home

#: Name, which is also the folder and the module below xueka.sandbox → what people call it.
NAMES = {
    "channels": "支付渠道模拟器",
    "finance": "财政非税模拟器",
    "messages": "短信网关模拟器",
    "jingtong": "京通模拟器",
    "couriers": "承运商模拟器",
    "mail": "邮件服务器模拟器",
}
#: Counterparts of the data exchange in a demo (docs/interfaces/exchange.md): code → what people call it.
EXCHANGE = {"beijing-tong": "北京通模拟器", "transit": "一卡通公司模拟器"}
_DATASETS = {"beijing-tong": "card-status", "transit": ""}
#: Notices of the demo come again within seconds where a channel waits minutes.
SPEED = 60


def folder(name: str) -> Path:
    return home.home() / name


def port(name: str) -> int:
    """Where it will listen: the port that it had, or a free one. A mail server's is that of its pages."""
    card = folder(name) / "partner.json"
    known = json.loads(card.read_text("utf-8")) if card.exists() else {}
    return free_port(known.get("pages_port", known.get("port", 0)))


def command(name: str, port: int, *, seed: int) -> list[str]:
    """How its process is started."""
    made = [sys.executable, "-m", f"xueka.sandbox.{name}", "--home", str(folder(name))]
    return [*made, "--port", str(port), "--seed", str(seed), "--speed", str(SPEED)]


def exchange_commands(*, seed: int) -> list[tuple[str, list[str]]]:
    """How those of the data exchange are started, each with its name; they find this site by serve.json."""
    made = []
    for code, label in EXCHANGE.items():
        command = [
            sys.executable,
            "-m",
            "xueka.sandbox.exchange",
            "--home",
            str(home.home() / "exchange" / code),
        ]
        command += [
            "--code",
            code,
            "--datasets",
            _DATASETS[code],
            "--site",
            str(home.home() / "serve.json"),
            "--seed",
            str(seed),
        ]
        made.append((label, [*command, "--speed", str(SPEED)]))
    return made


def free_port(wanted: int) -> int:
    """This one on the loopback, or another when it is taken."""
    for each in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", each))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    return wanted
