"""The channels as a process: killed at any moment, nothing that was answered is lost."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.merchant import NOTIFY, handed_over, lent_keys

START_LIMIT = 60.0


def _start(home: Path) -> tuple["subprocess.Popen[bytes]", dict[str, Any]]:
    card = home / "partner.json"
    before = card.stat().st_mtime_ns if card.exists() else 0
    command = [sys.executable, "-m", "xueka.sandbox.channels", "--home", str(home), "--notices", "pull"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    until = time.monotonic() + START_LIMIT
    while not card.exists() or card.stat().st_mtime_ns == before:
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.02)
    return process, json.loads(card.read_text("utf-8"))


def _sim(card: dict[str, Any], method: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {card['control_token']}"}
    with httpx.Client(base_url=card["base"], trust_env=False, timeout=20) as client:
        answer = client.request(method, f"/_sim/{path}", json=body, headers=headers)
    answer.raise_for_status()
    return answer.json()


def test_kill_nine_loses_nothing(tmp_path):
    lent_keys(tmp_path)
    handed_over(tmp_path)
    paid: list[str] = []
    for turn in range(4):
        process, card = _start(tmp_path)
        assert oct((tmp_path / "partner.json").stat().st_mode & 0o777) == "0o600"
        orders = _sim(card, "GET", "orders?channel=unionpay")
        assert {each["number"] for each in orders if each["charges"]} >= set(paid)
        for number in (f"XK{turn}{each:04d}" for each in range(15)):
            body = {"channel": "unionpay", "out_trade_no": number, "amount_fen": 2000, "subject": "补卡"}
            _sim(card, "POST", "pay", {**body, "notify_url": NOTIFY})
            paid.append(number)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    process, card = _start(tmp_path)
    assert len(_sim(card, "GET", "orders?channel=unionpay")) == len(paid) == 60
    process.terminate()
    process.communicate()


def test_control_wants_its_token(tmp_path):
    lent_keys(tmp_path)
    process, card = _start(tmp_path)
    with pytest.raises(httpx.HTTPStatusError):
        _sim({**card, "control_token": "x"}, "GET", "orders?channel=")
    process.terminate()
    process.communicate()
