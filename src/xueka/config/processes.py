"""The processes of an installation that runs on one machine."""

import socket
import sys

from xueka.platform.database import home
from xueka.platform.supervisor.children import Child


def children(listener: socket.socket) -> list[Child]:
    """What `xueka serve` keeps running: pages, jobs and, in a demo city, the card bureau's simulator."""
    command = [sys.executable, "-m", "xueka"]
    web = ["web", "--fd", str(listener.fileno())]
    found = [
        Child("网页", [*command, *web], descriptors=[listener.fileno()]),
        Child("后台任务", [*command, "worker"]),
    ]
    bureau = home.home() / "bureau"
    if (bureau / "partner.json").exists():  # it has introduced itself to this city
        simulator = [sys.executable, "-m", "xueka.sandbox.bureau", "--home", str(bureau), "--faults", "light"]
        found.append(Child("制卡厂模拟器", simulator))
    return found
