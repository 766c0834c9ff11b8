"""The line to the non-tax platform of the finance office: its card, and one question a connection
(docs/interfaces/nontax.md §2). Payment codes, e-receipts and refunds from the treasury all travel on it.
"""

import json
import secrets
import socket
import time
from collections.abc import Mapping
from datetime import date
from typing import Any

from django.conf import settings

from xueka.contexts.payments.domain import cnnontax
from xueka.contexts.payments.ports import ChannelUnavailable
from xueka.kernel import clock
from xueka.kernel.errors import BadInput

#: Results that every question knows (nontax.md §11). Busy: whether it was done is unknown.
DONE, BUSY = "00000", "99999"
_SECONDS = 10


def card() -> dict[str, Any]:
    """What the finance office handed over. Raises ChannelUnavailable while there is nothing."""
    try:
        found: dict[str, Any] = json.loads(settings.FINANCE_PARTNER.read_text("utf-8"))
    except (OSError, ValueError):
        raise ChannelUnavailable("CHANNEL_NO_CARD", "还没有财政部门交来的参数文件。") from None
    return found


def ask(
    found: Mapping[str, Any],
    number: str,
    expected: str,
    voucher: Mapping[str, str],
    *,
    msg_id: str = "",
    day: date | None = None,
) -> list[Mapping[str, str]]:
    """Ask by message `number`; the vouchers of the `expected` answer.

    The same `msg_id` on the same `day` (of the message) is answered as before, however often it is asked.
    Raises ChannelUnavailable where there is no answer that can be trusted.
    """
    frame = cnnontax.encode(message(found, number, voucher, msg_id=msg_id, day=day), found["token"])
    try:
        with socket.create_connection((found["host"], int(found["port"])), _SECONDS) as line:
            line.sendall(frame)
            answer = cnnontax.receive(read_frame(line, 2 * _SECONDS), found["token"])
    except (OSError, BadInput) as error:
        raise ChannelUnavailable(
            "CHANNEL_SILENT", "财政非税平台没有回应。", found=type(error).__name__
        ) from None
    if answer.msg_no == "5001" != expected:
        raise ChannelUnavailable("CHANNEL_ANSWER", "财政非税平台没有受理这次查询。")
    return list(answer.vouchers)


def message(
    found: Mapping[str, Any],
    number: str,
    voucher: Mapping[str, str],
    *,
    about: str = "",
    msg_id: str = "",
    day: date | None = None,
) -> cnnontax.Message:
    """One of our messages with one voucher; `about` is the id of the message that it answers."""
    on = day or clock.today()
    return cnnontax.Message(
        msg_no=number,
        source=found["des"],
        destination=found["src"],
        msg_id=msg_id or secrets.token_hex(10),
        work_date=f"{on:%Y%m%d}",
        msg_ref=about,
        vouchers=[voucher],
        division=found["division"],
        year=f"{on:%Y}",
    )


def read_frame(line: socket.socket, seconds: int) -> bytes:
    """The next frame on a connection, whole within so many seconds. Raises OSError where it ends before or is
    not, BadInput where it is none.
    """
    found = b""
    wanted = cnnontax.LENGTH_SIZE
    until = time.monotonic() + seconds
    while len(found) < wanted:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        line.settimeout(left)
        more = line.recv(min(65536, wanted - len(found)))
        if not more:
            raise OSError("closed")
        found += more
        if wanted == cnnontax.LENGTH_SIZE and len(found) == wanted:
            wanted = cnnontax.declared_length(found)
    return found
