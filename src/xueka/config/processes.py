"""The processes of an installation that runs on one machine."""

import socket
import sys

from xueka.platform.database import home
from xueka.platform.supervisor.children import Child


def children(listener: socket.socket) -> list[Child]:
    """What `xueka serve` keeps running: pages, jobs and, for a demo city, the stand-in for its card bureau."""
    command = [sys.executable, "-m", "xueka"]
    web = ["web", "--fd", str(listener.fileno())]
    found = [
        Child("网页", [*command, *web], descriptors=[listener.fileno()]),
        Child("后台任务", [*command, "worker"]),
    ]
    bureau = home.home() / "bureau"
    if (
        bureau / "partner.json"
    ).exists():  # the simulator introduced itself to this city, with a port to keep
        simulator = [sys.executable, "-m", "xueka.sandbox.bureau", "--home", str(bureau), "--faults", "light"]
        found.append(Child("制卡厂模拟器", simulator))
    return found
