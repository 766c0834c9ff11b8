"""`python -m xueka.agent`, `xueka-agent`: the issuing agent on a counter PC."""

import argparse
import asyncio
import contextlib
import importlib.util
import logging
import platform
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from xueka.agent import VERSION
from xueka.agent.agent import Agent
from xueka.agent.identity import Identity, default_folder
from xueka.agent.readers import available
from xueka.agent.server import Refused, Server, Unreachable, address_problem

MOST = 8  # readers, and printers


class Stopped(Exception):
    """Cannot go on; the text is for people."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 stopped as told, 1 refused, 2 wrong usage."""
    parser = argparse.ArgumentParser(
        prog="xueka-agent", description="学卡发卡代理：驱动柜台的读卡器和证卡打印机。", add_help=False
    )
    parser.add_argument("-h", "--help", action="help", help="显示本说明")
    parser.add_argument("--server", required=True, metavar="URL", help="服务器地址，如 https://xueka.example")
    parser.add_argument(
        "--reader", action="append", default=[], metavar="NAME", help="读卡器名称，可写一部分；可重复"
    )
    parser.add_argument(
        "--printer", action="append", default=[], metavar="NAME", help="打印机：名称=ipp://地址；可重复"
    )
    parser.add_argument("--enrol", metavar="CODE", help="一次性登记码（在“发卡代理”页面生成，10 分钟有效）")
    parser.add_argument(
        "--name", default=platform.node() or "柜台", metavar="NAME", help="柜台名称，登记时用"
    )
    parser.add_argument("--state", type=Path, default=default_folder(), metavar="DIR", help="状态目录")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("xueka.agent").setLevel(logging.INFO)
    try:
        printers = dict(map(_printer, options.printer))
    except ValueError as error:
        parser.error(str(error))
    if problem := address_problem(options.server):
        parser.error(problem)
    try:
        with _alone(options.state) as identity:
            asyncio.run(_run(options, identity, printers))
    except (Stopped, Refused, Unreachable) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def _printer(text: str) -> tuple[str, str]:
    """NAME=ipp://…, an address alone, or the name of a queue of this machine's CUPS."""
    name, _, uri = text.rpartition("=") if "=ipp" in text else ("", "", text)
    if urlsplit(uri).scheme in {"ipp", "ipps"}:
        return name or uri, uri
    if name or "/" in uri or ":" in uri:
        raise ValueError(f"打印机 {text} 看不懂，应为 名称=ipp://地址。")
    return uri, f"ipp://localhost:631/printers/{uri}"


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[Identity]:
    """The state folder belongs to one agent at a time."""
    identity = Identity.open(folder)
    with (folder / "lock").open("w") as lock:
        with contextlib.suppress(ImportError):  # not on Windows, where the service manager sees to it
            import fcntl

            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise Stopped(f"已有一个发卡代理在用目录 {folder}。") from error
        yield identity


async def _run(options: argparse.Namespace, identity: Identity, printers: dict[str, str]) -> None:
    if importlib.util.find_spec("smartcard") is None:
        raise Stopped("没有安装 pyscard，驱动不了读卡器。见 docs/runbooks/counter-pc.md。")
    if not options.reader:
        found = await available()
        listed = "本机的读卡器：" + "、".join(found) if found else "本机没有读卡器，或读卡服务没有运行。"
        raise Stopped(f"请用 --reader 指定读卡器。{listed}")
    if len(options.reader) > MOST or len(printers) > MOST:
        raise Stopped(f"读卡器和打印机各不超过 {MOST} 台。")
    server = Server(options.server, identity)
    try:
        await _enrol(options, identity, server)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError):  # Windows
                loop.add_signal_handler(number, stop.set)
        await Agent(server, identity, options.reader, printers).run(stop)
    finally:
        await server.close()


async def _enrol(options: argparse.Namespace, identity: Identity, server: Server) -> None:
    if options.enrol:
        try:
            answer = await server.enrol(options.enrol, options.name, VERSION)
        except Refused as refused:
            if refused.code != "AGENT_KEY_KNOWN":
                raise
            identity.renew_key()  # enrolled before; a code with the old key makes no new agent
            answer = await server.enrol(options.enrol, options.name, VERSION)
        identity.enrolled(options.server, str(answer["agent"]))
        sys.stdout.write(f"已登记：{options.name}（{identity.agent}）\n")
        sys.stdout.flush()
    elif not identity.agent:
        raise Stopped("这台柜台机还没有登记。请在“发卡代理”页面生成登记码，用 --enrol CODE 登记。")
    elif identity.server != options.server:
        raise Stopped(f"这台柜台机登记在 {identity.server}。换服务器请用新的 --state 目录和登记码。")


def run() -> None:
    """The command `xueka-agent`."""
    sys.exit(main())


if __name__ == "__main__":
    run()
