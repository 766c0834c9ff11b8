"""Work on a file by several processes, in order, never holding more of it than a few chunks.

Small files are worked on in this process: starting others takes longer than the work.
"""

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from xueka.kernel.errors import XuekaError

Context = TypeVar("Context")
Task = TypeVar("Task")
Result = TypeVar("Result")

_AHEAD = 2  # finished chunks that may wait, besides those in work

_context: Any = None


class Crew(Generic[Context]):
    """`run(job, tasks)` gives `job(context, task)` for each task, in the order of the tasks."""

    def __init__(self, context: Context, *, processes: int) -> None:
        self._context = context
        self._processes = processes
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        if self._processes > 1:
            self._pool = ProcessPoolExecutor(
                self._processes,
                mp_context=multiprocessing.get_context("spawn"),  # the server's process may have threads
                initializer=_adopt,
                initargs=(self._context,),
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, job: Callable[[Context, Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        if self._pool is None:
            for task in tasks:
                yield job(self._context, task)
            return
        waiting: deque[Future[Result]] = deque()
        try:
            for task in tasks:
                waiting.append(self._pool.submit(_perform, job, task))
                if len(waiting) >= self._processes + _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise XuekaError(
                "IMPORT_INTERRUPTED",
                "导入进程中途被系统结束，可能是内存不足；本次没有改动任何数据。",
                action="请稍后再导入；若再次发生，请把文件分成几份。",
            ) from None


def processes_for(size: int) -> int:
    """How many processes a file of `size` bytes is worth."""
    return (os.cpu_count() or 1) if size > 4 * 1024 * 1024 else 1


def _adopt(context: Any) -> None:
    global _context  # noqa: PLW0603 - one context for the life of the process is the point
    _context = context


def _perform(job: Callable[[Any, Task], Result], task: Task) -> Result:
    return job(_context, task)
