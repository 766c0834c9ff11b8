"""Payment channels, finance office and message gateway of a demo city: processes of their own.

Each keeps its things below XUEKA_HOME/<name>; its visiting card there (partner.json) says where it listens
and what it hands over (docs/interfaces/channels.md, nontax.md, messages.md §1).
"""

import sys
from pathlib import Path

from xueka.platform.database import home

#: Name, which is also the folder and the module below xueka.sandbox → what people call it.
NAMES = {"channels": "支付渠道模拟器", "finance": "财政非税模拟器", "messages": "短信网关模拟器"}
#: Notices of the demo come again within seconds where a channel waits minutes.
SPEED = 60


def folder(name: str) -> Path:
    return home.home() / name


def command(name: str, *, seed: int) -> list[str]:
    """How its process is started; it comes back to the port that it had, when that is free."""
    made = [sys.executable, "-m", f"xueka.sandbox.{name}", "--home", str(folder(name))]
    return [*made, "--seed", str(seed), "--speed", str(SPEED)]
