"""Children and their supervisor."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0  # seconds between a death and the restart
STEADY_AFTER = 60.0  # a child that has run this long starts again with the first delay
STOP_LIMIT = 20.0  # seconds between SIGTERM and SIGKILL
TICK = 0.2


@dataclass
class Child:
    """A command that has to run all the time. `descriptors` are open files it inherits."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    descriptors: Sequence[int] = ()
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    delay: float = FIRST_DELAY
    due: float = 0.0

    def start(self) -> None:
        """Start it in a process group of its own, so that Ctrl-C reaches the supervisor alone."""
        launcher = [sys.executable, "-m", "xueka.platform.supervisor.launch", str(os.getpid())]
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [*launcher, *self.command],
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            pass_fds=self.descriptors,
            start_new_session=True,
        )

    def signal(self, number: int) -> None:
        """Send a signal to the child's whole group."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


class Supervisor:
    """Runs children until `stop()`; `start` and `run` belong to the main thread.

    `tell` receives one line for each event worth a line; `watch` is called about once a second (it revives
    what is not a child, such as the database server).
    """

    def __init__(
        self, children: Sequence[Child], tell: Callable[[str], None], watch: Callable[[], None] = lambda: None
    ) -> None:
        self.children = list(children)
        self.tell = tell
        self.watch = watch
        self.stopping = threading.Event()

    def stop(self) -> None:
        self.stopping.set()

    def start(self) -> None:
        for child in self.children:
            child.start()

    def run(self) -> None:
        """Restart children that die, until stopped; then end them all."""
        watched = time.monotonic()
        try:
            while not self.stopping.wait(TICK):
                self.tick()
                if time.monotonic() - watched >= 1:
                    self.watch()
                    watched = time.monotonic()
        finally:
            self.end()

    def tick(self) -> None:
        """Look once at every child."""
        now = time.monotonic()
        for child in self.children:
            if child.process is None:
                if now >= child.due:
                    child.start()
            elif (code := child.process.poll()) is not None:
                child.signal(signal.SIGKILL)  # what is left of its group
                if now - child.started >= STEADY_AFTER:
                    child.delay = FIRST_DELAY
                self.tell(f"{child.name} 已退出（{code}），{child.delay:g} 秒后重新启动。")
                child.process, child.due = None, now + child.delay
                child.delay = min(child.delay * 2, LONGEST_DELAY)

    def end(self) -> None:
        """SIGTERM to every group, SIGKILL to what remains."""
        alive = [child for child in self.children if child.process is not None]
        for child in alive:
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_LIMIT
        for child in alive:
            assert child.process is not None
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.tell(f"{child.name} 没有按时停止，强制结束。")
            child.signal(signal.SIGKILL)
            child.process.wait()
            child.process = None
