"""`python -m tests.faults.dying_worker COUNTER`: a worker that dies at every commit boundary in turn.

Each life ends at the first commit that carries a step of the production line: an odd life just before it, an
even one just after it. Two lives therefore finish one step, and every boundary is met from both sides. Each
death adds one line to the file COUNTER.
"""

import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any


def main(counter: Path) -> None:
    from xueka.entrypoints.cli import common

    with common.database():
        from django.conf import settings
        from django.db.backends.base.base import BaseDatabaseWrapper

        from xueka.contexts.production.services import inbox, packages
        from xueka.platform.jobs import worker

        lives = len(counter.read_text("ascii").splitlines()) if counter.exists() else 0
        before = lives % 2 == 0
        armed: list[str] = []

        def arming(step: Callable[..., Any], name: str) -> Callable[..., Any]:
            @wraps(step)
            def wrapped(*arguments: Any) -> Any:
                done = step(*arguments)
                if done:
                    armed.append(name)
                return done

            return wrapped

        def die() -> None:
            with counter.open("a", encoding="ascii") as file:
                file.write(f"{'before' if before else 'after'} {armed[-1]}\n")
                file.flush()
                os.fsync(file.fileno())
            os.kill(os.getpid(), signal.SIGKILL)

        commit = BaseDatabaseWrapper.commit

        def deadly(self: BaseDatabaseWrapper) -> None:
            if armed and before:
                die()
            commit(self)
            if armed:
                die()

        packages.build = arming(packages.build, "build")
        packages.mark_sent = arming(packages.mark_sent, "send")
        inbox.take = arming(inbox.take, "take")
        BaseDatabaseWrapper.commit = deadly
        worker.run(settings.WORKER_CONCURRENCY)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
