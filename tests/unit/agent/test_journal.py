"""What stands on disk: a run is begun once, a report stays until it is acknowledged."""

import stat
from pathlib import Path

import pytest

from xueka.agent import journal as module
from xueka.agent.journal import INTERRUPTED, Journal, PrintReport

LINE = b'{"data":"","sw":"9000","ms":3}\n'


def test_run_is_begun_once_even_after_it_was_acknowledged(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    path = journal.begin_run("s1", "s1-1", "R")
    assert path is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Journal(tmp_path).begin_run("s1", "s1-1", "R") is None
    report = journal.end_run(path, "done", "3b00")
    journal.run_acknowledged(report)
    assert journal.runs() == []
    assert not path.exists()
    assert journal.begin_run("s1", "s1-1", "R") is None
    assert Journal(tmp_path).begin_run("s1", "s1-1", "R") is None


def test_report_holds_the_answers_in_their_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    path = journal.begin_run("s1", "s1-1", "R")
    assert path is not None
    with path.open("ab") as file:
        file.write(LINE * 2)
    report = journal.end_run(path, "pulled", "3b00")
    assert report.body == {
        "outcome": "pulled",
        "atr": "3b00",
        "answers": [{"data": "", "sw": "9000", "ms": 3}] * 2,
    }
    assert report.path == "/sessions/s1/runs/s1-1"
    assert Journal(tmp_path).runs() == [report]


@pytest.mark.parametrize("tail", [b"", LINE, LINE + b'{"data":"', LINE + LINE[:-1]])
def test_run_without_an_end_was_interrupted(tmp_path: Path, tail: bytes) -> None:
    path = Journal(tmp_path).begin_run("s1", "s1-1", "R")
    assert path is not None
    path.write_bytes(path.read_bytes() + tail)
    (report,) = Journal(tmp_path).runs()
    assert report.outcome == INTERRUPTED
    assert len(report.answers) == tail.count(b"}")


@pytest.mark.parametrize("left", [b"", b"\0" * 60, b"{}\n"])
def test_run_without_a_head_does_not_keep_the_agent_from_starting(tmp_path: Path, left: bytes) -> None:
    path = Journal(tmp_path).begin_run("s1", "s1-1", "R")
    assert path is not None
    path.write_bytes(left)  # what a power cut may leave
    assert Journal(tmp_path).runs() == []
    assert Journal(tmp_path).begin_run("s1", "s1-1", "R") is None


def test_names_from_outside_are_no_paths(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for name in ("../x", "", "a/b", "a" * 41, "a_b"):
        with pytest.raises(ValueError):
            journal.begin_run(name, "r", "R")
        with pytest.raises(ValueError):
            journal.take_print(name)


def test_memory_of_what_was_done_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 5)
    journal = Journal(tmp_path)
    for number in range(25):
        path = journal.begin_run("s", str(number), "R")
        assert path is not None
        journal.run_acknowledged(journal.end_run(path, "done", ""))
    kept = (tmp_path / "journal" / "done").read_text().split()
    assert 5 <= len(kept) <= 10
    assert kept[-1] == "run_s_24.jsonl"
    assert Journal(tmp_path).begin_run("s", "24", "R") is None


@pytest.mark.parametrize(
    ("state", "told"), [("taken", "failed"), ("printing", "unknown"), ("printed", "printed")]
)
def test_print_job_is_never_taken_twice_and_told_after_a_restart(
    tmp_path: Path, state: str, told: str
) -> None:
    journal = Journal(tmp_path)
    assert journal.take_print("88")
    assert not journal.take_print("88")
    journal.note_print(PrintReport("88", state, ""))
    (report,) = Journal(tmp_path).prints()
    assert report.state == told
    journal.print_acknowledged(report)
    assert not Journal(tmp_path).take_print("88")
    assert Journal(tmp_path).prints() == []
