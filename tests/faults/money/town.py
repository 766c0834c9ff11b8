"""A town of orders that wait to be paid, made by COPY, at channels whose refunds outlive any process."""

import json
import os
import sqlite3
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from tests.support.fake_channel import BANKS
from tests.unit.cards.conftest import build
from tests.unit.payments.conftest import FEN, open_channels
from xueka.contexts.payments import api as payments
from xueka.contexts.payments.models import Unknown
from xueka.contexts.payments.ports import ToldRefund
from xueka.kernel import clock
from xueka.kernel.clock import SimulatedClock
from xueka.platform.database.copy import copy_rows
from xueka.platform.identity.scope import EVERYWHERE


class Refunds(MutableMapping[str, ToldRefund]):
    """What a channel has paid back, by our numbers, in a file: whoever is killed, it is remembered."""

    def __init__(self, path: Path) -> None:
        self._path, self._owner = path, 0
        self._open().execute("CREATE TABLE IF NOT EXISTS back (number TEXT PRIMARY KEY, told TEXT)")

    def _open(self) -> sqlite3.Connection:
        """A connection of this process: one that was there before a fork is not used after it."""
        if self._owner != os.getpid():
            self._line, self._owner = (
                sqlite3.connect(self._path, timeout=60, isolation_level=None),
                os.getpid(),
            )
            self._line.execute("PRAGMA journal_mode = WAL")
            self._line.execute("PRAGMA synchronous = OFF")
        return self._line

    def __setitem__(self, number: str, told: ToldRefund) -> None:
        at = told.success_at.isoformat() if told.success_at else ""
        text = json.dumps([told.state, told.amount_fen, told.channel_id, at])
        self._open().execute("INSERT INTO back VALUES (?, ?)", [number, text])

    def __getitem__(self, number: str) -> ToldRefund:
        found = self._open().execute("SELECT told FROM back WHERE number = ?", [number]).fetchone()
        if found is None:
            raise KeyError(number)
        state, fen, channel_id, at = json.loads(found[0])
        return ToldRefund(state, fen, channel_id, datetime.fromisoformat(at))

    def __delitem__(self, number: str) -> None:
        raise TypeError("a channel forgets nothing")

    def __iter__(self) -> Iterator[str]:
        return iter([number for (number,) in self._open().execute("SELECT number FROM back")])

    def __len__(self) -> int:
        return int(self._open().execute("SELECT count(*) FROM back").fetchone()[0])


@dataclass
class Town:
    """Orders with one attempt each, begun at its channel."""

    time: SimulatedClock
    attempts: list[payments.Payment] = field(default_factory=list)


def found(time: SimulatedClock, orders: int, folder: Path | None = None) -> Town:
    """`orders` orders of FEN each, in turn at WeChat and Alipay, with what `create_order` and `pay` write."""
    open_channels()
    if folder:
        for code, bank in BANKS.items():
            bank.refunds = Refunds(folder / f"{code}.sqlite3")  # type: ignore[assignment]
    city = build()
    students = city.students(50)
    now = clock.now()
    serials = range(1, orders + 1)
    channel = ("wechat", "alipay")
    with transaction.atomic():
        _copy(
            "payments_order",
            {"student_id": lambda n: students[n % 50], "number": _number, "subject": lambda n: f"town:{n}",
             "title": "学生卡补卡", "amount_fen": FEN, "tariff": "default-1", "state": "open",
             "state_at": now, "expires_at": now + timedelta(minutes=30), "created_at": now,
             "created_by": "town"},
            serials,
        )  # fmt: skip
        ids = dict(payments.order_rows(EVERYWHERE).values_list("number", "id"))
        _copy(
            "payments_payment",
            {"order_id": lambda n: ids[_number(n)], "attempt": 1, "channel": lambda n: channel[n % 2],
             "settlement": "merchant", "fee_bearer": "provider", "out_trade_no": lambda n: f"{_number(n)}P01",
             "amount_fen": FEN, "state": "pending", "state_at": now,
             "start": json.dumps({"kind": "jsapi", "data": {}}), "asked_id": "", "channel_id": "",
             "credited": False, "stray": "", "stray_fen": 0, "remitted_in": "", "created_at": now,
             "created_by": "town", "tries": 0, "next_try_at": now + timedelta(minutes=10), "last_error": ""},
            serials,
        )  # fmt: skip
        made = list(payments.payment_rows(EVERYWHERE).select_related("order").order_by("id"))
        steps = [("order", each.order_id, 1, "create", "", "open") for each in made]
        for each in made:
            steps.append(("payment", each.id, 1, "create", "", "created"))
            steps.append(("payment", each.id, 2, "start", "created", "pending"))
        columns = ("machine", "object_id", "seq", "event", "from_state", "to_state", "at", "actor", "reason",
                   "detail")  # fmt: skip
        copy_rows(
            connection, "history_transition", columns, ((*step, now, "town", "", "{}") for step in steps)
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE payments_order, payments_payment, history_transition")
    for each in made:
        BANKS[each.channel].started[each.out_trade_no] = each.amount_fen
    return Town(time, made)


def _number(serial: int) -> str:
    return f"XK000000{serial:09d}0"


def _copy(table: str, values: dict[str, Any], serials: range) -> None:
    rows = ([value(n) if callable(value) else value for value in values.values()] for n in serials)
    copy_rows(connection, table, list(values), rows)


def come_to_an_end(town: Town, rounds: int = 400) -> None:
    """Sweeps until nothing is left to do; time goes on where nothing was due."""
    for _ in range(rounds):
        before = _undecided()
        if not any(before):
            return
        payments.sweep()
        if _undecided() == before:
            town.time.advance(timedelta(minutes=31))
    raise AssertionError(f"something never comes to an end: {_undecided()}")


def _undecided() -> tuple[int, ...]:
    return (
        payments.payment_rows(EVERYWHERE).filter(state__in=payments.UNDECIDED).count(),
        payments.refund_rows(EVERYWHERE).filter(state__in=payments.REFUND_UNDECIDED).count(),
        payments.Notice.objects.filter(outcome="").count(),
        payments.order_rows(EVERYWHERE).filter(state="open").count(),
        Unknown.objects.filter(state="asked").count(),
    )
