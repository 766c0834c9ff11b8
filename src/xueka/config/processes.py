"""The processes of an installation that runs on one machine."""

import socket
import sys

from xueka.platform.supervisor.children import Child


def children(listener: socket.socket) -> list[Child]:
    """What `xueka serve` keeps running: pages, jobs and the stand-ins for the counterparts."""
    command = [sys.executable, "-m", "xueka"]
    found = [
        Child("网页", [*command, "web", "--fd", str(listener.fileno())], descriptors=[listener.fileno()]),
        Child("后台任务", [*command, "worker"]),
    ]
    return found
