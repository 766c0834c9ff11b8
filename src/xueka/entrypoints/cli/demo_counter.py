"""A counter to try: reader, cards and issuing agent of this machine, all of them virtual or local.

The cards are processes of the sandbox, the agent is the one of a counter PC; each is started as a stranger.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from xueka.kernel.errors import Refused
from xueka.platform.database import home

NAME, READER = "演示柜台", "Virtual PCD 00 00"
FIRST_CHIP = "04a1b2c3000001"
HELP = "回车：换下一张卡；o：取出；i：放回；q：结束。"
WORDS = {"": "next", "o": "pull", "i": "insert"}


def serving_at() -> str:
    """The address of the server of this home. Raises Refused `NOT_SERVING`."""
    note = home.home() / "serve.json"
    if not note.exists():
        raise Refused(
            "NOT_SERVING",
            "演示柜台要连到运行中的服务。",
            action="请先运行 python3 run.py，另开一个终端再试。",
        )
    return str(json.loads(note.read_text("utf-8"))["address"]).rstrip("/")


def enrolled(server: str) -> bool:
    """Whether the demo's agent is known to this server from an earlier time."""
    state = home.home() / "demo-counter" / "agent" / "agent.json"
    return state.exists() and json.loads(state.read_text("utf-8"))["server"] == server


def run(
    server: str, code: str, cards: int, printers: list[str], hand: Iterable[str], tell: Callable[[str], None]
) -> None:
    """Until `hand` says q or ends. Cards and agent keep what they have in the home."""
    folder = home.made_home() / "demo-counter"
    folder.mkdir(exist_ok=True)
    with _cards(folder, cards) as ask, _agent(folder, server, code, printers):
        first = ask("insert")
        tell(f"{NAME}已就绪，读卡器里是第 1 张卡（{first['uid']}）。{HELP}")
        for line in hand:
            word = line.strip().lower()
            if word == "q":
                return
            if word not in WORDS:
                tell(HELP)
                continue
            answer = ask(WORDS[word])
            if "error" in answer:
                tell("卡用完了。")
                continue
            state = "在读卡器里" if answer["inserted"] else "已取出"
            tell(f"第 {answer['place'] + 1} 张（{answer['uid']}）{state}。")


@contextlib.contextmanager
def _cards(folder: Path, count: int) -> Iterator[Callable[[str], dict[str, Any]]]:
    """A pcscd, a reader and a stack of blanks as their maker delivers them; a hand to feed them."""
    blank = folder / "blank.json"
    blank.write_text(json.dumps({"uid": FIRST_CHIP}), "ascii")
    options = ["--pcscd", folder, "--folder", folder, "--blank", blank, "--count", count, "--empty"]
    command = [sys.executable, "-m", "xueka.sandbox.card", *map(str, options)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        if not process.stdout.readline():
            raise Refused(
                "NO_VIRTUAL_READER",
                "本机开不了虚拟读卡器。",
                found=process.stderr.read().strip(),
                action="Debian 上请安装 pcscd 和 vsmartcard-vpcd。",
            )
        stdin, stdout = process.stdin, process.stdout

        def ask(line: str) -> dict[str, Any]:
            stdin.write(line + "\n")
            stdin.flush()
            return dict(json.loads(stdout.readline()))

        try:
            yield ask
        finally:
            stdin.close()


@contextlib.contextmanager
def _agent(folder: Path, server: str, code: str, printers: list[str]) -> Iterator[None]:
    """The issuing agent; what it says goes to standard error."""
    options = ["--server", server, "--reader", READER, "--state", str(folder / "agent"), "--name", NAME]
    options += ["--enrol", code] if code else []
    for printer in printers:
        options += ["--printer", printer]
    environment = {**os.environ, "PCSCLITE_CSOCK_NAME": str(folder / "pcscd.comm")}
    process = subprocess.Popen([sys.executable, "-m", "xueka.agent", *options], env=environment)
    try:
        yield
    finally:
        process.terminate()
        process.wait()
