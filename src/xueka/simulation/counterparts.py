"""The counterparts' simulators: one table, from which a demo city, `xueka sandbox` and the checks start them.

Processes of their own: each keeps its things in a folder below XUEKA_HOME; its visiting card there
(partner.json) says where it listens and what it hands over (§1 of each page of docs/interfaces). What the
city hands over in return goes into `city/` beside the card.
"""

import json
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from xueka.platform.database import home


@dataclass(frozen=True, slots=True)
class Simulator:
    """`folder` is below XUEKA_HOME, `module` below xueka.sandbox; each is the name where nothing is said.
    `page`: its page of docs/interfaces. `of_site`: it is told where this site is. `paced`: its times can be
    divided. `needs`: what of the city must lie in `city/` before it starts. `told`: a demo city starts it
    only if it was told of the city's people when that was made.
    """

    name: str
    label: str
    page: str
    module: str = ""
    folder: str = ""
    options: Sequence[str] = ()
    of_site: bool = False
    paced: bool = True
    needs: Sequence[str] = ()
    told: bool = False

    @property
    def home(self) -> Path:
        return home.home() / (self.folder or self.name)

    @property
    def card(self) -> Path:
        return self.home / "partner.json"

    def address(self) -> str:
        """Where it listened last; empty where it never did. Of a mail server: its pages."""
        try:
            known = json.loads(self.card.read_text("utf-8"))
            return str(
                known.get("base")
                or known.get("issuer")
                or known.get("control")
                or f"{known['host']}:{known['port']}"
            )
        except (OSError, ValueError, KeyError):
            return ""

    def port(self) -> int:
        """The port that it had, or a free one. A mail server's is that of its pages."""
        try:
            known = json.loads(self.card.read_text("utf-8"))
        except (OSError, ValueError):
            known = {}
        return free_port(known.get("pages_port", known.get("port", 0)))

    def command(self, *more: str, speed: float = 1) -> list[str]:
        """How its process is started."""
        made = [sys.executable, "-m", f"xueka.sandbox.{self.module or self.name}", "--home", str(self.home)]
        made += self.options
        if self.of_site:
            made += ["--site", str(home.home() / "serve.json")]
        return [*made, *(["--speed", f"{speed:g}"] if self.paced else []), *more]


def _exchanging(code: str, label: str, page: str, datasets: str) -> Simulator:
    """A counterpart of the data exchange (docs/interfaces/exchange.md)."""
    options = ("--code", code, "--datasets", datasets)
    return Simulator(code, label, page, "exchange", f"exchange/{code}", options, of_site=True)


_KEYS = ("city-sign.pub.pem", "city-ssh.pub")
#: A new simulator is one line here.
SIMULATORS = {
    each.name: each
    for each in (
        Simulator("bureau", "制卡厂模拟器", "card-bureau", paced=False, needs=_KEYS),
        Simulator("channels", "支付渠道模拟器", "channels"),
        Simulator("finance", "财政非税模拟器", "nontax"),
        Simulator("messages", "短信网关模拟器", "messages"),
        Simulator("jingtong", "京通模拟器", "jingtong"),
        Simulator("couriers", "承运商模拟器", "couriers"),
        Simulator("mail", "邮件服务器模拟器", "messages"),
        Simulator("registry", "学籍系统模拟器", "oneroster", paced=False, told=True),
        _exchanging("beijing-tong", "北京通模拟器", "beijing-tong", "card-status"),
        _exchanging(
            "transit",
            "一卡通公司模拟器",
            "transit",
            "transit-bindings,transit-hot-list,transit-validity",
        ),
        _exchanging("welfare", "民生卡权益平台模拟器", "welfare", "entitled-cards,entitlements"),
    )
}
#: Notices of the demo come again within seconds where a channel waits minutes.
SPEED = 60


def commands(ports: dict[str, int], *, seed: int) -> list[tuple[str, list[str]]]:
    """How a demo city's are started on these ports, each with what people call it; the bureau has its own way
    (`demo.bureau_command`).
    """
    return [
        (
            each.label,
            each.command("--port", str(ports[each.name]), "--seed", str(seed), speed=SPEED),
        )
        for each in SIMULATORS.values()
        if each.name in ports
    ]


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


def listens(address: str) -> bool:
    """Whether somebody answers there."""
    where = urlsplit(address if "//" in address else f"//{address}")
    try:
        with socket.create_connection((where.hostname, where.port or 80), timeout=1):
            return True
    except (OSError, ValueError):
        return False
