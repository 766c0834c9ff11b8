"""What was begun and what the server has not acknowledged, on disk.

A run is one file: a line that says which, a line for each answer of the card as it comes, a last line with
the outcome. A file without a last line is a run in which this program was stopped. What was acknowledged is
removed and remembered by name, so that nothing is ever begun twice. Commands are not kept; answers only
until then. Against a killed program, not against a power cut: that takes the card's power too, and the
server asks the card.
"""

import contextlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xueka.agent.identity import write_private

REMEMBERED = 5000
IDENTIFIER = re.compile(r"[A-Za-z0-9-]{1,40}")
INTERRUPTED = "interrupted"
RESTARTED = "发卡代理重新启动，不知道是否已打印"
NOT_BEGUN = "发卡代理重新启动，没有开始打印"


@dataclass
class RunReport:
    session: str
    run: str
    reader: str
    outcome: str = INTERRUPTED
    atr: str = ""
    answers: list[dict[str, Any]] = field(default_factory=list)

    @property
    def path(self) -> str:
        return f"/sessions/{self.session}/runs/{self.run}"

    @property
    def body(self) -> dict[str, Any]:
        return {"outcome": self.outcome, "atr": self.atr, "answers": self.answers}


@dataclass
class PrintReport:
    job: str
    state: str
    message: str

    @property
    def path(self) -> str:
        return f"/print-jobs/{self.job}"

    @property
    def body(self) -> dict[str, Any]:
        return {"state": self.state, "message": self.message[:200]}


class Journal:
    def __init__(self, folder: Path) -> None:
        self._folder = folder / "journal"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        self._done_file = self._folder / "done"
        lines = self._done_file.read_text("ascii").split() if self._done_file.exists() else []
        self._done = dict.fromkeys(lines)

    def begin_run(self, session: str, run: str, reader: str) -> Path | None:
        """Where the answers go; None when this run stands on disk already and must not be begun."""
        path = self._run_file(session, run)
        if path.name in self._done or path.exists():
            return None
        head = {"session": session, "run": run, "reader": reader}
        write_private(path, json.dumps(head).encode() + b"\n", durable=False)
        return path

    def end_run(self, path: Path, outcome: str, atr: str) -> RunReport:
        with path.open("ab") as file:
            file.write(json.dumps({"outcome": outcome, "atr": atr}).encode() + b"\n")
        return _run_report(path)

    def runs(self) -> list[RunReport]:
        """Not acknowledged yet, the oldest first. What has no outcome was interrupted."""
        paths = sorted(self._folder.glob("run_*.jsonl"), key=lambda path: path.stat().st_mtime)
        found = []
        for path in paths:
            try:
                found.append(_run_report(path))
            except (IndexError, TypeError):  # a power cut left no head: the server asks the card
                self._forget(path)
        return found

    def run_acknowledged(self, report: RunReport) -> None:
        self._forget(self._run_file(report.session, report.run))

    def take_print(self, job: str) -> bool:
        """False when this job was taken before."""
        path = self._print_file(job)
        if path.name in self._done or path.exists():
            return False
        self.note_print(PrintReport(job, "taken", ""))
        return True

    def note_print(self, report: PrintReport) -> None:
        text = json.dumps({"job": report.job, "state": report.state, "message": report.message})
        write_private(self._print_file(report.job), text.encode())

    def prints(self) -> list[PrintReport]:
        """After a restart: what was under way may have come out, what was not begun has not."""
        found = []
        for path in sorted(self._folder.glob("print_*.json")):
            report = PrintReport(**json.loads(path.read_text("utf-8")))
            if report.state == "taken":
                report = PrintReport(report.job, "failed", NOT_BEGUN)
            elif report.state == "printing":
                report = PrintReport(report.job, "unknown", RESTARTED)
            found.append(report)
        return found

    def print_acknowledged(self, report: PrintReport) -> None:
        self._forget(self._print_file(report.job))

    def _run_file(self, session: str, run: str) -> Path:
        return self._folder / f"run_{_safe(session)}_{_safe(run)}.jsonl"

    def _print_file(self, job: str) -> Path:
        return self._folder / f"print_{_safe(job)}.json"

    def _forget(self, path: Path) -> None:
        """Remember the name, then remove the file: a kill in between leaves a report that is repeated."""
        self._done[path.name] = None
        if len(self._done) > 2 * REMEMBERED:
            self._done = dict.fromkeys(list(self._done)[-REMEMBERED:])
            write_private(self._done_file, "\n".join(self._done).encode() + b"\n")
        else:
            with self._done_file.open("a", encoding="ascii") as file:
                file.write(path.name + "\n")
        path.unlink(missing_ok=True)


def _safe(identifier: str) -> str:
    if not IDENTIFIER.fullmatch(identifier):
        raise ValueError("not an identifier")
    return identifier


def _run_report(path: Path) -> RunReport:
    lines = []
    for line in path.read_bytes().splitlines():
        with contextlib.suppress(ValueError):  # the last line of a program that was killed while it wrote
            lines.append(json.loads(line))
    report = RunReport(**lines[0])
    for line in lines[1:]:
        if "outcome" in line:
            report.outcome, report.atr = line["outcome"], line["atr"]
        else:
            report.answers.append(line)
    return report
