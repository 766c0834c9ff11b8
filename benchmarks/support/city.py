"""What benchmarks that need a filled city share: a home for each size, filled once; calls measured singly.

`compare_calls` prints the JSON object of `harness.compare`, with `p95_ms` of ours: here a size is how much
lies in the database, and a rate counts calls, so that an exponent of 0 means that size costs nothing. The
memory of a call is not measured.
"""

import json
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from harness import ROUNDS, SCALE, in_child  # noqa: E402

Call = Callable[[], object]


def filled(size: int) -> None:
    """The home of this size, with `size` students; made at the first call."""
    home = Path(os.environ["XUEKA_BENCH_HOME"]) / str(size)
    home.mkdir(exist_ok=True)
    home.chmod(0o711)  # the database server may run as another user
    os.environ["XUEKA_HOME"] = str(home)
    start()
    from xueka.contexts.registry.api import Student
    from xueka.simulation.city_size.build import Plan
    from xueka.simulation.city_size.inhabitants import move_in

    if not Student.objects.exists():
        order = Plan(size)
        move_in(order.seed, order.students, order.schools)


def start() -> None:
    """The embedded server of `XUEKA_HOME`, migrated."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "xueka.config.settings"
    from xueka.platform.database import server

    server.acquire()
    import django

    django.setup()
    from xueka.platform.database import migrate

    migrate.prepare_if_needed()


def compare_calls(
    job: str,
    unit: str,
    sizes: tuple[int, int],
    calls: int,
    ours: Callable[[int], Iterator[Call]],
    floor: Callable[[int], Iterator[Call]],
) -> dict[str, Any]:
    """Measure `calls` calls of each at both sizes, ours and floor in turns, each in a process of its own."""
    small, large = (max(1_000, int(size * SCALE)) for size in sizes)
    best: dict[tuple[bool, int], list[float]] = {}
    for _ in range(ROUNDS):
        for size in (small, large):
            for mine, work in ((True, ours), (False, floor)):
                took = in_child(_calls, work, size, calls)
                if sum(took) < sum(best.get((mine, size), [math.inf])):
                    best[mine, size] = took
    mean = {key: statistics.fmean(took) for key, took in best.items()}
    growth = math.log(mean[True, large] / mean[True, small]) / math.log(large / small)
    found = {
        "job": job,
        "ours": round(1 / mean[True, large]),
        "floor": round(1 / mean[False, large]),
        "unit": f"{unit}/s",
        "ratio": round(mean[False, large] / mean[True, large], 3),
        "peak_mb": 0,
        "size": large,
        "exponent": round(growth, 2),
        "rounds": ROUNDS,
        "ours_ms": round(1000 * statistics.median(best[True, large]), 2),
        "floor_ms": round(1000 * statistics.median(best[False, large]), 2),
        "p95_ms": round(1000 * statistics.quantiles(best[True, large], n=20)[-1], 2),
    }
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    return found


def _calls(work: Callable[[int], Iterator[Call]], size: int, calls: int) -> list[float]:
    filled(size)
    took: list[float] = []
    for call in work(size):
        begin = time.perf_counter()
        call()
        took.append(time.perf_counter() - begin)
        if len(took) == calls + calls // 10:
            break
    return took[calls // 10 :]  # the first ones warm up
