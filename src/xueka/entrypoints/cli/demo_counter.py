"""A counter to try: reader, cards, printer and issuing agent of this machine, all of them virtual or local.

Cards and printer are processes of the sandbox, the agent is the one of a counter PC; each is a stranger. They
end with the counter, however it ends.
"""

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xueka.kernel.errors import Refused, XuekaError
from xueka.platform.database import home

if TYPE_CHECKING:
    from xueka.platform.identity.actor import Actor

NAME, READER, DEVICE = "演示柜台", "Virtual PCD 00 00", "虚拟证卡打印机"
ENROL_LIMIT = 60.0  # seconds
FIRST_CHIP = "04a1b2c3000001"
HELP = "回车：换下一张卡；o：取出；i：放回；数字：放第几张；q：结束。"
WORDS = {"": "next", "o": "pull", "i": "insert"}
_PLACE = re.compile(r"[1-9]\d{0,2}", re.ASCII)


def typed(descriptor: int) -> Iterator[str]:
    """Lines of a terminal or pipe; between two looks at it signals are heard."""
    rest = b""
    while True:
        ready, _, _ = select.select([descriptor], [], [], 0.5)
        if not ready:
            continue
        found = os.read(descriptor, 4096)
        if not found:
            return
        *lines, rest = (rest + found).split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in lines)


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
    return _state().get("server") == server


def district_of_the_demo() -> str:
    """Where the demo city's counter operator works; empty where there is none: the counter is the city's."""
    from xueka.platform.identity import accounts

    try:
        return accounts.actor_for("counter").scope.district
    except XuekaError:
        return ""


def introduce(actor: "Actor", agent: str, district: str, cards: int) -> None:
    """The printer of this agent, with everything loaded; the stack of blanks in stock, as one lot."""
    from xueka.contexts.numbers import api as numbers
    from xueka.contexts.printing import api as printing

    first = int(FIRST_CHIP, 16)
    if numbers.blank_with(FIRST_CHIP.upper()) is None:
        lines = "".join(f"{place + 1},{first + place:014X}\n" for place in range(cards))
        content = f"序号,芯片UID\n{lines}".encode()
        numbers.import_blank_lot(actor, content, "演示空白卡", "演示供应单位", "演示交付人")
    if printing.printers(actor.scope).filter(agent=agent).exists():
        return
    made = printing.register_printer(actor, f"{NAME} {agent[-4:]}", agent, DEVICE, district=district)
    for supply in printing.supplies(made):
        printing.load_supply(actor, supply.id)


def run(
    server: str,
    code: str,
    cards: int,
    hand: Iterable[str],
    tell: Callable[[str], None],
    introduced: Callable[[str], None],
) -> None:
    """Until `hand` says q or ends, Ctrl-C or SIGTERM. Cards and agent keep what they have in the home.

    `introduced` gets what the server calls the agent, before the first card is put in.
    """
    folder = home.made_home() / "demo-counter"
    folder.mkdir(exist_ok=True)
    with (
        _stopped_orderly(),
        _cards(folder, cards) as ask,
        _printer(folder) as printer,
        _agent(folder, server, code, printer),
    ):
        if not printer:
            tell("没有虚拟打印机：Debian 上请安装 cups-ipp-utils 和 dbus。")
        introduced(_enrolled(server))
        first = ask("insert")
        tell(f"{NAME}已就绪，读卡器里是第 1 张卡（{first['uid']}）。{HELP}")
        for line in hand:
            word = line.strip().lower()
            if word == "q":
                return
            known = WORDS.get(word) or (f"take {int(word) - 1}" if _PLACE.fullmatch(word) else "")
            if not known:
                tell(HELP)
                continue
            answer = ask(known)
            if "error" in answer:
                tell("卡用完了。")
                continue
            state = "在读卡器里" if answer["inserted"] else "已取出"
            tell(f"第 {answer['place'] + 1} 张（{answer['uid']}）{state}。")


@contextlib.contextmanager
def _stopped_orderly() -> Iterator[None]:
    """Ctrl-C and SIGTERM are ways to end, not failures."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)


def _child(*command: str, **options: Any) -> "subprocess.Popen[str]":
    """In a session of its own, so that a signal to our group reaches us alone and we end it in order; where
    we are killed outright, Linux ends it.
    """
    launcher = [sys.executable, "-m", "xueka.platform.supervisor.launch", str(os.getpid()), sys.executable]
    return subprocess.Popen([*launcher, *command], text=True, start_new_session=True, **options)


def _state() -> dict[str, Any]:
    state = home.home() / "demo-counter" / "agent" / "agent.json"
    return dict(json.loads(state.read_text("utf-8"))) if state.exists() else {}


def _enrolled(server: str) -> str:
    """What the server calls the agent, once it is enrolled."""
    end = time.monotonic() + ENROL_LIMIT
    while not enrolled(server):
        if time.monotonic() > end:
            raise Refused("NOT_ENROLLED", "发卡代理没有登记成功。", action="原因见上面它说的话。")
        time.sleep(0.1)
    return str(_state()["agent"])


@contextlib.contextmanager
def _printer(folder: Path) -> Iterator[str]:
    """The address of an IPP printer; empty where the machine has no such program."""
    command = ["-m", "xueka.sandbox.printer", str(folder / "printer")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with _child(*command, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            yield str(json.loads(line)["uri"]) if line else ""
        finally:
            process.stdin.close()


@contextlib.contextmanager
def _cards(folder: Path, count: int) -> Iterator[Callable[[str], dict[str, Any]]]:
    """A pcscd, a reader and a stack of blanks as their maker delivers them; a hand to feed them."""
    blank = folder / "blank.json"
    blank.write_text(json.dumps({"uid": FIRST_CHIP}), "ascii")
    options = ["--pcscd", folder, "--folder", folder, "--blank", blank, "--count", count, "--empty"]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with _child("-m", "xueka.sandbox.card", *map(str, options), **pipes) as process:
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
def _agent(folder: Path, server: str, code: str, printer: str) -> Iterator[None]:
    """The issuing agent; what it says goes to standard error."""
    options = ["--server", server, "--reader", READER, "--state", str(folder / "agent"), "--name", NAME]
    options += ["--enrol", code] if code else []
    options += ["--printer", f"{DEVICE}={printer}"] if printer else []
    environment = {**os.environ, "PCSCLITE_CSOCK_NAME": str(folder / "pcscd.comm")}
    process = _child("-m", "xueka.agent", *options, env=environment)
    try:
        yield
    finally:
        process.terminate()
        process.wait()
