"""Printing to a real IPP printer process: done, refused, broken in the middle, gone."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.support.printers import ipp_printer, require_printer

require_printer()
from xueka.agent.printing import print_document, printer_states  # noqa: E402

PDF = b"%PDF-1.4\n%%EOF\n"


def test_a_document_arrives_as_it_was_sent(tmp_path: Path) -> None:
    with ipp_printer(tmp_path) as printer:
        result = print_document(printer.uri, PDF, "application/pdf", "学生卡 26000000017")
        assert (result.state, result.message) == ("printed", "打印完成")
        assert printer.documents() == [PDF]
        [state] = printer_states([printer.uri])
        assert state == {"name": "Card printer", "uri": printer.uri, "state": "idle", "message": "空闲"}


def test_a_format_that_the_printer_does_not_take_touches_no_card(tmp_path: Path) -> None:
    with ipp_printer(tmp_path) as printer:
        result = print_document(printer.uri, b"GIF89a", "image/gif", "x")
        assert (result.state, result.message) == ("failed", "打印机不接受这种文件或设置")
        assert printer.documents() == []


def test_a_printer_that_is_not_there(tmp_path: Path) -> None:
    require_printer()
    uri = "ipp://localhost:9/ipp/print"
    assert print_document(uri, PDF, "application/pdf", "x").state == "failed"
    [state] = printer_states([uri])
    assert (state["state"], state["message"]) == ("gone", "连不上打印机")


def test_a_job_that_breaks_in_the_machine_is_unknown_and_says_why(tmp_path: Path) -> None:
    program = "echo 'STATE: +media-jam-error' >&2; exit 1"
    with ipp_printer(tmp_path, command=program) as printer:
        result = print_document(printer.uri, PDF, "application/pdf", "x")
        assert (result.state, result.message) == ("unknown", "打印机中止了任务：卡片卡住")
        [state] = printer_states([printer.uri])
        assert state["message"] == "卡片卡住"


def test_a_printer_that_dies_with_the_card_in_it(tmp_path: Path) -> None:
    program = "sleep 30"
    with ipp_printer(tmp_path, command=program) as printer:

        def kill() -> None:
            time.sleep(1)
            os.kill(printer.process.pid, signal.SIGKILL)

        threading.Thread(target=kill).start()
        result = print_document(printer.uri, PDF, "application/pdf", "x", job_within=3)
        assert (result.state, result.message) == ("unknown", "任务没有按时结束：打印机没有响应")


def test_a_job_that_never_ends_is_given_up(tmp_path: Path) -> None:
    program = "sleep 30"
    with ipp_printer(tmp_path, command=program) as printer:
        result = print_document(printer.uri, PDF, "application/pdf", "x", job_within=1)
        assert (result.state, result.message) == ("unknown", "任务没有按时结束，已撤销")


@pytest.mark.parametrize("uri", ["ipp://localhost:9/ipp/print", "ipp://127.0.0.1:9/x"])
def test_no_word_of_a_library_is_shown(uri: str) -> None:
    message = print_document(uri, PDF, "application/pdf", "x").message
    assert not any(char.isascii() and char.isalpha() for char in message)
