"""The readers, from a safe distance: processes that call PC/SC, killed when they block, started anew."""

import asyncio
import contextlib
import json
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHILD = (sys.executable, "-m", "xueka.agent.card_process")
LOOK = 0.2  # seconds between two looks at a process that works
SILENCE = 10.0  # seconds after which the watching process counts as blocked
AGAIN = 0.5  # seconds before a process that left is started anew


@dataclass(frozen=True)
class Shown:
    """What a reader shows; `state` is one of the protocol's words, `atr` hex."""

    state: str = "gone"
    atr: str = ""


class Reader:
    """One reader's working process. It lives as long as it answers."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._process: Process | None = None

    async def run(self, session: str, run: dict[str, Any], journal: Path) -> dict[str, str]:
        """`{"outcome", "atr"}`; the answers are in the journal. A call that blocks ends with the process."""
        order: dict[str, Any] = {"do": "run", "session": session, "journal": str(journal)}
        order |= {"reset": bool(run["reset"]), "commands": run["commands"]}
        seconds = min(max(float(run.get("seconds", 10)), 1.0), 60.0)
        await self._tell(order)
        assert self._process is not None
        assert self._process.stdout is not None
        answer = asyncio.create_task(self._process.stdout.readline())
        try:
            if not await _alive(answer, journal, seconds):
                return {"outcome": "timeout", "atr": ""}
            line = answer.result()
        finally:
            if not answer.done() or not answer.result():
                answer.cancel()
                await self.close()
        return json.loads(line) if line else {"outcome": "reader_gone", "atr": ""}

    async def release(self) -> None:
        """Let the card go, if there is a process that may hold it."""
        if self._process is not None and self._process.returncode is None:
            await self._tell({"do": "release"})

    async def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await _end(process)

    async def _tell(self, order: dict[str, Any]) -> None:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                *CHILD, "work", self._name, stdin=PIPE, stdout=PIPE
            )
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):  # it has just left: nobody will answer
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            await self._process.stdin.drain()


async def _alive(answer: "asyncio.Task[bytes]", journal: Path, seconds: float) -> bool:
    """Until the answer is there; False when nothing was added to the journal for so long."""
    seen, since = journal.stat().st_size, time.monotonic()
    while True:
        done, _ = await asyncio.wait({answer}, timeout=LOOK)
        if done:
            return True
        size = journal.stat().st_size
        if size != seen:
            seen, since = size, time.monotonic()
        elif time.monotonic() > since + seconds:
            return False


async def watch(names: Sequence[str], changed: Callable[[dict[str, Shown]], None]) -> None:
    """For ever: what the readers show. While the process cannot be had, all of them are gone."""
    while True:
        process = await asyncio.create_subprocess_exec(
            *CHILD, "watch", *names, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
        )
        assert process.stdout is not None
        try:
            while True:
                async with asyncio.timeout(SILENCE):
                    line = await process.stdout.readline()
                if not line:
                    break
                changed({name: Shown(*found) for name, found in json.loads(line).items()})
        except TimeoutError:
            pass
        finally:
            await _end(process)
        changed({name: Shown() for name in names})
        await asyncio.sleep(AGAIN)


async def available() -> list[str]:
    """Names of the readers of this machine; empty when there is no service."""
    process = await asyncio.create_subprocess_exec(*CHILD, "list", stdout=PIPE, stderr=DEVNULL)
    try:
        async with asyncio.timeout(SILENCE):
            said, _ = await process.communicate()
    except TimeoutError:
        said = b""
    finally:
        await _end(process)
    return json.loads(said) if said else []


async def _end(process: Process) -> None:
    """Killed, not asked: it may hang in a call that never returns."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
