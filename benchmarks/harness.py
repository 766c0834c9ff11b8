"""Our job beside its floor, in one run.

A benchmark gives `prepare(size)`, `ours(data)` and `floor(data)`. Each measurement has a process of its own,
so that peaks of memory do not mix, and the two take turns, so that a slow moment of the machine hits both.
What `prepare` costs is not measured. The best of the rounds counts.

One JSON object is printed for each benchmark: job, ours, floor, unit, ratio, peak_mb, size, exponent, rounds.
`ours` and `floor` are rates at the larger size; `peak_mb` is the process of ours with its input and all its
children at their highest, pages of mapped files left out; `exponent` says how the cost of ours grows from the
smaller to the larger size (1: in step with the work). `others` are further works, measured at the larger size
and printed by name as rates, with `NAME_peak_mb`; each may bring a `prepare` of its own.
`XUEKA_BENCH_ROUNDS` and `XUEKA_BENCH_SCALE` make it quicker or smaller.
"""

import contextlib
import json
import math
import multiprocessing
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
#: The checkout before what is installed: an installed package may bring a `tests` of its own.
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

ROUNDS = int(os.environ.get("XUEKA_BENCH_ROUNDS", "3"))
SCALE = float(os.environ.get("XUEKA_BENCH_SCALE", "1"))

Work = Callable[[Any], object]


def compare(
    job: str,
    unit: str,
    sizes: tuple[int, int],
    prepare: Callable[[int], Any],
    ours: Callable[[Any], object],
    floor: Callable[[Any], object],
    others: Mapping[str, Work | tuple[Callable[[int], Any], Work]] | None = None,
) -> dict[str, Any]:
    """Measure at both sizes, print the JSON object, return it."""
    small, large = (max(1, int(size * SCALE)) for size in sizes)
    further = {
        name: work if isinstance(work, tuple) else (prepare, work) for name, work in (others or {}).items()
    }
    turns = {
        (name, size): (prepare, work)
        for size in (small, large)
        for name, work in (("ours", ours), ("floor", floor))
    }
    turns |= {(name, large): both for name, both in further.items()}
    seconds = dict.fromkeys(turns, math.inf)
    peaks = dict.fromkeys(turns, 0.0)
    for _ in range(ROUNDS):
        for (name, size), (before, work) in turns.items():
            took, used = in_child(_measure, before, work, size)
            seconds[name, size] = min(seconds[name, size], took)
            peaks[name, size] = max(peaks[name, size], used)
    growth = math.log(seconds["ours", large] / seconds["ours", small]) / math.log(large / small)
    found = {
        "job": job,
        "ours": round(large / seconds["ours", large]),
        "floor": round(large / seconds["floor", large]),
        "unit": f"{unit}/s",
        "ratio": round(seconds["floor", large] / seconds["ours", large], 3),
        "peak_mb": round(max(peaks["ours", small], peaks["ours", large])),
        "size": large,
        "exponent": round(growth, 2),
        "rounds": ROUNDS,
    }
    for name in further:
        found[name] = round(large / seconds[name, large])
        found[f"{name}_peak_mb"] = round(peaks[name, large])
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    return found


def in_child(work: Callable[..., Any], *arguments: Any) -> Any:
    """The result of `work` in a fresh process. Libraries with threads of their own do not survive a fork."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_answer, args=(sender, work, arguments))
    child.start()
    sender.close()
    try:
        return receiver.recv()
    finally:
        child.join()


def _answer(sender: Connection, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    sender.send(work(*arguments))


def _measure(prepare: Callable[[int], Any], work: Callable[[Any], object], size: int) -> tuple[float, float]:
    """Seconds that `work` took, and the process's peak in MiB."""
    data = prepare(size)
    meter = _Meter()
    meter.start()
    begin = time.perf_counter()
    work(data)
    took = time.perf_counter() - begin
    return took, meter.stop() / 1024


class _Meter(threading.Thread):
    """Watches the memory of this process and its descendants, in KiB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._peak = _memory()
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(0.05):
            self._peak = max(self._peak, _memory())

    def stop(self) -> int:
        self._done.set()
        self.join()
        return max(self._peak, _memory())


def _memory() -> int:
    family, total = [os.getpid()], 0
    for member in family:  # grows while it is walked
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{member}/status").read_text()
            total += sum(map(int, re.findall(r"^Rss(?:Anon|Shmem):\s+(\d+)", status, re.MULTILINE)))
            for task in Path(f"/proc/{member}/task").iterdir():
                family += map(int, (task / "children").read_text().split())
    return total
