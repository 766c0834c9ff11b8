"""The processes of an installation that runs on one machine."""

import socket
import sys
from collections.abc import Mapping

from xueka.platform.supervisor.children import Child
from xueka.simulation import demo


def children(listener: socket.socket, ports: Mapping[str, int]) -> list[Child]:
    """What `xueka serve` keeps running: pages, jobs, the data exchange, backups and, in a demo city, the
    simulators of the counterparts, each at its place in `ports` (`demo_city.ports`).
    """
    command = [sys.executable, "-m", "xueka"]
    web = ["web", "--fd", str(listener.fileno())]
    found = [
        Child("网页", [*command, *web], descriptors=[listener.fileno()]),
        Child("后台任务", [*command, "worker"]),
        Child("接口收发", [*command, "interop", "work"]),
        Child("财政确认接收", [*command, "nontax", "listen"]),
        Child("来信接收", [*command, "mail", "listen"]),
        Child("备份", [*command, "backup", "keep"]),
    ]
    if ports:
        found.append(Child("制卡厂模拟器", demo.bureau_command()))
        found += [Child(label, command) for label, command in demo.counterpart_commands(ports)]
    return found
