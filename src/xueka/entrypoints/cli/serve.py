"""`xueka serve`: one command that brings the whole installation up, keeps it up and takes it down."""

import contextlib
import fcntl
import http.client
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from xueka.entrypoints.cli import common
from xueka.kernel.errors import Conflict, XuekaError
from xueka.platform.database import home, location, server
from xueka.platform.supervisor.children import Supervisor

WEB_READY_LIMIT = 60.0  # seconds


def run(host: str, port: int, *, demo: bool) -> int:
    """Serve until Ctrl-C or SIGTERM; returns the exit code."""
    with _only_one() as note, common.database():
        from django.db import connections

        from xueka.config import assets, demo_city, processes

        for remark in location.place().remarks if server.embedded() else []:
            tell(remark)
        assets.collect_if_changed()
        if demo:
            demo_city.build_once(tell)
        _tell_of_backups(is_demo=demo_city.is_built())
        with _listen(host, port) as listener:
            address = _address(listener)
            note.write_text(json.dumps({"pid": os.getpid(), "address": address}), "utf-8")
            ports = demo_city.ports()
            supervisor = Supervisor(processes.children(listener, ports), tell, watch=_revive)
            logins = demo_city.logins(ports)
            connections.close_all()
            return _supervise(supervisor, listener, _greeting(address, supervisor, logins))


def _tell_of_backups(*, is_demo: bool) -> None:
    """A demo's backups are sealed to a passphrase in a file beside the data, and that is said."""
    from xueka.platform.backup import configuration

    if is_demo:
        configuration.make_demo_key()
    if configuration.key_lies_beside_the_data():
        tell(
            "演示用法：密钥文件的口令、演示主密钥和备份口令都在数据目录中，只有所有者可读；正式使用请设立保管人。"
        )
    try:
        configuration.standing_seal()
    except XuekaError as refusal:
        tell(f"{refusal.message}{refusal.action or ''}每日自动备份做不成。")


def tell(line: str) -> None:
    """One line of progress for whoever looks at the terminal."""
    sys.stderr.write(f"xueka: {line}\n")
    sys.stderr.flush()


@contextlib.contextmanager
def _only_one() -> Iterator[Path]:
    """One `serve` per home; the lock dies with its process."""
    note = home.made_home() / "serve.json"
    lock = os.open(home.home() / "serve.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        running = json.loads(note.read_text("utf-8")) if note.exists() else {}
        raise Conflict(
            "ALREADY_SERVING",
            f"这个数据目录（{home.home()}）已有服务在运行。",
            found=running.get("address", "正在启动"),
            action="请使用该地址，或先停止它；另起一套请设置 XUEKA_HOME。",
        ) from None
    try:
        note.unlink(missing_ok=True)
        yield note
    finally:
        note.unlink(missing_ok=True)
        os.close(lock)


@contextlib.contextmanager
def _listen(host: str, port: int) -> Iterator[socket.socket]:
    """The listening socket is the supervisor's: while the web process restarts, visitors wait."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except PermissionError:
            raise Conflict(
                "PORT_FORBIDDEN", f"没有权限使用端口 {port}。", action="请用 --port 换一个。"
            ) from None
        except OSError:
            listener.bind((host, 0))
            tell(f"端口 {port} 已被占用，改用 {listener.getsockname()[1]}。")
        listener.listen(512)
        yield listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _supervise(supervisor: Supervisor, listener: socket.socket, greeting: str) -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: supervisor.stop())
    try:
        supervisor.start()
        _wait_for_web(supervisor, listener)
        if not supervisor.stopping.is_set():
            sys.stdout.write(greeting)
            sys.stdout.flush()
        supervisor.run()
    finally:
        supervisor.end()
    tell("已全部停止。")
    return 0


def _revive() -> None:
    try:
        server.revive()
    except location.EmbeddedServerError as error:
        tell(str(error))  # a full disk, say: the next look tries again


def _wait_for_web(supervisor: Supervisor, listener: socket.socket) -> bool:
    """Wait for a first answer from the pages; whatever it says, somebody is there."""
    host, port = listener.getsockname()[:2]
    deadline = time.monotonic() + WEB_READY_LIMIT
    while time.monotonic() < deadline and not supervisor.stopping.is_set():
        supervisor.tick()
        connection = http.client.HTTPConnection(host, port, timeout=1)
        try:
            connection.request("GET", "/")
            connection.getresponse()
        except (OSError, http.client.HTTPException):
            continue
        finally:
            connection.close()
        return True
    if not supervisor.stopping.is_set():
        tell("网页进程尚未应答，继续等待；详情见上面的日志。")
    return False


def _greeting(address: str, supervisor: Supervisor, logins: list[str]) -> str:
    names = "、".join(["数据库", *(child.name for child in supervisor.children)])
    lines = [f"学卡已启动：{address}", f"运行中：{names}；按 Ctrl-C 停止。", *logins]
    return "\n" + "".join(f"  {line}\n" for line in lines) + "\n"
