"""The issuing agent: asks the server for work, carries it out, says what came of it.

It holds no key and decides nothing about a card (docs/interfaces/issuing-agent.md). Whatever happens to it,
a run is begun at most once, and what a card has answered is reported.
"""

import asyncio
import base64
import contextlib
import logging
import time
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any

from xueka.agent import VERSION
from xueka.agent.identity import Identity
from xueka.agent.journal import IDENTIFIER, Journal, PrintReport, RunReport
from xueka.agent.readers import Reader, Shown, watch
from xueka.agent.server import Refused, Server, Unreachable

log = logging.getLogger("xueka.agent")

LONGEST_PAUSE = 30.0
BLOCKED_PAUSE = 60.0
GRACE = 0.3  # seconds for an answer that may be on its way, before a fresher poll is sent
NOTICED = 1.0  # seconds until what the reader shows has followed a card that was pulled
ASK_PRINTERS = 10.0
LAST_RUN = 15.0  # seconds that a run under way is given when the agent is told to stop
#: The agent can do nothing about these but say it and stop.
FATAL = {"AGENT_UNKNOWN", "SIGNATURE_WRONG", "AGENT_TOO_OLD"}
DROPPED = {400, 404, 409, 413, 422}


class Agent:
    """`printers` are IPP addresses by the names that the server knows."""

    def __init__(
        self, server: Server, identity: Identity, readers: Sequence[str], printers: dict[str, str]
    ) -> None:
        self._server = server
        self._journal = Journal(identity.folder)
        self._readers = {name: Reader(name) for name in readers}
        self._shown = {name: Shown() for name in readers}
        self._told: set[str] = set()
        self._busy: set[str] = set()
        self._printers = printers
        self._printer_states: list[dict[str, str]] = []
        self._changed = asyncio.Event()
        self._stopping = False
        self._at_card = 0  # runs under way
        self._works: set[asyncio.Task[None]] = set()
        self._print_locks = {uri: asyncio.Lock() for uri in printers.values()}
        self._reach = ""  # what stands in the way to the server, told once

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; Refused when the server does not know this agent any more."""
        helpers = [asyncio.create_task(watch(list(self._readers), self._see))]
        if self._printers:
            helpers.append(asyncio.create_task(self._ask_printers()))
        self._resume()
        main = asyncio.create_task(self._poll())
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stopping.done():
                done, _ = await asyncio.wait(
                    {main, stopping, *helpers, *self._works},
                    timeout=1.0,  # works may have begun meanwhile
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for task in done - {stopping}:
                    self._works.discard(task)
                    task.result()
        finally:
            self._stopping = True
            await _cancel({main, stopping, *helpers})
            end = time.monotonic() + LAST_RUN
            while self._at_card and time.monotonic() < end:
                await asyncio.sleep(0.05)
            await _cancel(self._works)
            for reader in self._readers.values():
                await reader.close()

    def _resume(self) -> None:
        """Reports that an earlier life left on disk; their readers are busy until they are acknowledged."""
        left: dict[str, list[RunReport]] = {}
        for report in self._journal.runs():
            left.setdefault(report.reader, []).append(report)
        for reader, reports in left.items():
            self._start(reader, self._deliver_and_go_on(reader, reports))
        for printed in self._journal.prints():
            self._start("", self._report_print(printed))

    def _start(self, reader: str, work: Coroutine[Any, Any, None]) -> None:
        if reader:
            self._busy.add(reader)
        self._works.add(asyncio.create_task(self._free_after(reader, work)))

    async def _free_after(self, reader: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        finally:
            self._busy.discard(reader)
            self._changed.set()

    # Polling

    async def _poll(self) -> None:
        """A fresh poll whenever a reader has changed; the one before stays open: it may still bring work."""
        pause, polls, begin = _pauses(), list[asyncio.Task[dict[str, Any]]](), 0.0
        try:
            while True:
                while self._busy >= set(self._readers):
                    self._changed.clear()
                    await self._changed.wait()
                if self._changed.is_set() or not polls:
                    self._changed.clear()
                    begin = time.monotonic()
                    while len(polls) > 1:
                        polls.pop(0).cancel()
                    report = self._report(waiting=bool(polls))
                    polls.append(asyncio.create_task(self._server.post("/poll", report)))
                try:
                    answer = await self._answer(polls)
                except Unreachable as problem:
                    self._hear(str(problem))
                    await self._rest(max(problem.after, next(pause)))
                    continue
                except Refused as refused:
                    self._hear(str(refused))
                    if refused.code in FATAL:
                        raise
                    await asyncio.sleep(BLOCKED_PAUSE if refused.status == 403 else LONGEST_PAUSE)
                    continue
                if answer is None:
                    continue
                self._hear("")
                pause = _pauses()
                taken = self._take(answer["work"]) if answer.get("work") else False
                if not taken and not polls and time.monotonic() < begin + 1:
                    await self._rest(float(answer.get("poll_seconds", 5)))
        finally:
            await _cancel(set(polls))

    async def _answer(self, polls: list["asyncio.Task[dict[str, Any]]"]) -> dict[str, Any] | None:
        """Of one poll that is answered; None when a reader has changed before any was."""
        changing = asyncio.create_task(self._changed.wait())
        await asyncio.wait({*polls, changing}, return_when=asyncio.FIRST_COMPLETED)
        changing.cancel()
        if not any(poll.done() for poll in polls):
            await asyncio.wait(polls, timeout=GRACE, return_when=asyncio.FIRST_COMPLETED)
        done = next((poll for poll in polls if poll.done()), None)
        if done is None:
            return None
        polls.remove(done)
        return done.result()

    def _report(self, waiting: bool) -> dict[str, Any]:
        readers = []
        for name, shown in self._shown.items():
            state = "busy" if name in self._busy else shown.state
            readers.append(
                {"name": name, "state": state, "atr": shown.atr if state in {"card", "busy"} else ""}
            )
        return {
            "version": VERSION,
            "waiting": waiting,
            "readers": readers,
            "printers": self._printer_states,
        }

    async def _rest(self, seconds: float) -> None:
        """Wait, but not longer than until a reader changes."""
        with contextlib.suppress(TimeoutError):
            # Not `wait_for`: before Python 3.12 it drops a cancellation that meets its end.
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    def _see(self, shown: dict[str, Shown]) -> None:
        for name, now in shown.items():
            changed = now != self._shown[name]
            if changed or name not in self._told:  # a reader that is not there is told once, too
                self._told.add(name)
                log.info("读卡器 %s：%s", name, _STATES[now.state])
            if changed:
                self._shown[name] = now
                if name not in self._busy:
                    self._changed.set()

    def _hear(self, problem: str) -> None:
        if problem != self._reach:
            if problem:
                log.warning("%s", problem)
            else:
                log.info("已连上服务器。")
        self._reach = problem

    def _take(self, work: dict[str, Any]) -> bool:
        names = [work["job"]] if work["kind"] == "print" else [work["session"], work["run"]["run"]]
        if not all(IDENTIFIER.fullmatch(str(name)) for name in names):
            log.warning("服务器交来的工作看不懂，没有执行。")
            return False
        if work["kind"] == "print":
            if not self._journal.take_print(str(work["job"])):
                return False
            self._start("", self._print(work))
            return True
        reader = work["reader"]
        if reader not in self._readers or reader in self._busy:
            log.warning("服务器交来的工作用不上：读卡器 %s。", reader)
            return False
        self._start(reader, self._session(reader, str(work["session"]), work["run"]))
        return True

    # Cards

    async def _session(self, reader: str, session: str, run: dict[str, Any] | None) -> None:
        """The runs of one card, until the server sends no next one."""
        hand = self._readers[reader]
        try:
            while run is not None and not self._stopping:
                report = await self._begin(hand, reader, session, run)
                if report is None:
                    log.warning("已经执行过的指令组 %s 又被交来，不再执行。", run["run"])
                    return
                run = await self._deliver(report)
                if report.outcome not in {"done", "stopped"}:
                    await asyncio.sleep(NOTICED)
        finally:
            await hand.release()

    async def _begin(self, hand: Reader, reader: str, session: str, run: dict[str, Any]) -> RunReport | None:
        path = self._journal.begin_run(session, str(run["run"]), reader)
        if path is None:
            return None
        self._at_card += 1
        try:
            found = await hand.run(session, run, path)
        finally:
            self._at_card -= 1
        return self._journal.end_run(path, found["outcome"], found["atr"])

    async def _deliver(self, report: RunReport) -> dict[str, Any] | None:
        """Until the server has it; the next run."""
        answer = await self._insist(report.path, report.body)
        self._journal.run_acknowledged(report)
        if message := answer.get("message"):
            log.info("%s：%s", report.reader, message)
        following: dict[str, Any] | None = answer.get("next")
        return following

    async def _deliver_and_go_on(self, reader: str, reports: list[RunReport]) -> None:
        following = None
        for report in reports:
            following = await self._deliver(report)
        if following is not None and reader in self._readers:
            await self._session(reader, reports[-1].session, following)

    async def _insist(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send until it is answered; empty when the server has no use for it (§9)."""
        pause = _pauses()
        while True:
            try:
                answer = await self._server.post(path, body)
                self._hear("")
                return answer
            except Unreachable as problem:
                self._hear(str(problem))
                await asyncio.sleep(max(problem.after, next(pause)))
            except Refused as refused:
                self._hear(str(refused))
                if refused.code in FATAL:
                    raise
                if refused.status in DROPPED:
                    return {}
                await asyncio.sleep(BLOCKED_PAUSE)

    # Printing

    async def _print(self, work: dict[str, Any]) -> None:
        """In each printer one job after another; each is handed to it at most once."""
        from xueka.agent.printing import print_document

        job = str(work["job"])
        uri = self._printers.get(work["printer"])
        if uri is None:
            await self._report_print(PrintReport(job, "failed", "柜台没有这台打印机"))
            return
        async with self._print_locks[uri]:
            begun = PrintReport(job, "printing", "")
            self._journal.note_print(begun)
            telling = asyncio.create_task(self._insist(begun.path, begun.body))
            document = base64.b64decode(work["document"])
            found = await asyncio.to_thread(
                print_document, uri, document, work["media_type"], work["title"], int(work["copies"])
            )
            await telling
        log.info("打印 %s：%s", work["title"], found.message)
        ended = PrintReport(job, found.state, found.message)
        self._journal.note_print(ended)
        await self._report_print(ended)

    async def _report_print(self, report: PrintReport) -> None:
        await self._insist(report.path, report.body)
        self._journal.print_acknowledged(report)

    async def _ask_printers(self) -> None:
        from xueka.agent.printing import printer_states

        names = {uri: name for name, uri in self._printers.items()}
        while True:
            found = await asyncio.to_thread(printer_states, list(names))
            states = [_printer(each, names[each["uri"]]) for each in found]
            if states != self._printer_states:
                self._printer_states = states
                self._changed.set()
            await asyncio.sleep(ASK_PRINTERS)


_STATES = {"empty": "无卡", "card": "有卡", "mute": "卡无应答", "gone": "不在"}


def _printer(found: dict[str, str], name: str) -> dict[str, str]:
    state = "processing" if found["state"] == "printing" else found["state"]
    return {"name": name, "uri": found["uri"], "state": state, "message": found["message"][:200]}


def _pauses() -> Iterator[float]:
    """1, 2, 4 … 30 seconds."""
    seconds = 1.0
    while True:
        yield seconds
        seconds = min(2 * seconds, LONGEST_PAUSE)


async def _cancel(tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError, Unreachable, Refused):
            await task
