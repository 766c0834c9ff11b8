"""The sweeps of the exchange. Larger cities run `xueka interop work` beside the worker: it does the same."""

import time

from django.db import transaction

from xueka.platform.exchange import applying, keeping
from xueka.platform.exchange.sending import Sender
from xueka.platform.jobs.sweeps import every

SHARE = 2.0  # seconds that one sweep takes of the worker's time, at most


@every(2, "exchange.send")
def send_messages() -> None:
    """Round after round while something is due, until our share of the worker's time is over."""
    sender, until = Sender(), time.monotonic() + SHARE
    try:
        while sender.turn() and time.monotonic() < until:
            pass
    finally:
        sender.close()


@every(2, "exchange.apply")
def apply_messages() -> None:
    applying.apply_due()


@every(58, "exchange.forget")
def forget_contents() -> None:
    with transaction.atomic():
        keeping.empty_old()
