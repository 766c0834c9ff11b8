"""`python -m tests.faults.dying_worker DEATHS [DESCRIPTOR]`: a worker, or a web server there, that dies.

Each step of the production line (STEPS) is met by two deaths: one just before the commit that carries it, one
just after. Then it is left in peace. Each death adds one line, `before STEP` or `after STEP`, to the file
DEATHS. Nobody dies before that file is there.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

WORKER_STEPS = ("build", "intend", "send", "take XKA", "take XKR", "seal")
WEB_STEPS = ("lock", "approve", "close")
STEPS = (*WORKER_STEPS, *WEB_STEPS)


class Fate:
    """Waits for the commit that carries a step, in the thread that has done it."""

    def __init__(self, deaths: Path) -> None:
        self.deaths = deaths
        self.armed = threading.local()

    def arm(
        self, step: Callable[..., Any], name: Callable[..., str], did: Callable[[Any], object] = bool
    ) -> Callable[..., Any]:
        """`step`, after which the next commit of its thread may be the last. Nothing done arms nothing."""

        @wraps(step)
        def wrapped(*arguments: Any, **named: Any) -> Any:
            done = step(*arguments, **named)
            if did(done):
                self.armed.step = name(*arguments)
            return done

        return wrapped

    def commit(self, commit: Callable[[Any], None]) -> Callable[[Any], None]:
        def deadly(connection: Any) -> None:
            step = getattr(self.armed, "step", None)
            self.armed.step = None
            self.die("before", step)
            commit(connection)
            self.die("after", step)

        return deadly

    def die(self, side: str, step: str | None) -> None:
        """Unless this death has been died already."""
        if step is None or not self.deaths.exists():
            return
        known = self.deaths.read_text("ascii").splitlines()
        if f"{side} {step}" in known or (side == "after" and f"before {step}" not in known):
            return
        with self.deaths.open("a", encoding="ascii") as file:
            file.write(f"{side} {step}\n")
            file.flush()
            os.fsync(file.fileno())
        os.kill(os.getpid(), signal.SIGKILL)


def main(deaths: Path, descriptor: str = "") -> None:
    from xueka.entrypoints.cli import common

    with common.database():
        from django.db.backends.base.base import BaseDatabaseWrapper

        from xueka.config import web
        from xueka.contexts.production import api as production
        from xueka.contexts.production.services import inbox, packages
        from xueka.platform.audit import sealing

        fate = Fate(deaths)
        BaseDatabaseWrapper.commit = fate.commit(BaseDatabaseWrapper.commit)
        if descriptor:
            for name in WEB_STEPS:
                setattr(production, name, fate.arm(getattr(production, name), lambda *_, name=name: name))
            web.web(f"fd://{descriptor}")
            return
        packages.build = fate.arm(packages.build, lambda *_: "build")
        packages.start_sending = fate.arm(packages.start_sending, lambda *_: "intend")
        packages.mark_sent = fate.arm(packages.mark_sent, lambda *_: "send")
        inbox.take = fate.arm(inbox.take, lambda _, file, __: f"take {file.name[:3]}")
        sealing._seal_batch = fate.arm(sealing._seal_batch, lambda *_: "seal", lambda done: done[0])
        web.worker()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
