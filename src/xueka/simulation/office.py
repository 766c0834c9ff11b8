"""The finance office's process beside a simulated city: payment codes, confirmations, e-receipts."""

import base64
import contextlib
from collections.abc import Iterator
from typing import Any

from xueka.contexts.payments import api as payments
from xueka.contexts.treasury import api as treasury
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.actor import Actor
from xueka.simulation.beside import Counterpart, running_beside

_WORKER = Actor.system("treasury")


class Office(Counterpart):
    """What a simulated city lets the finance office do (docs/interfaces/nontax.md §13)."""

    def __init__(self, card: dict[str, Any]) -> None:
        super().__init__(card["control"], card["control_token"])
        self._frames = card["token"]

    def pays(self, payment: payments.Payment, *, force: bool = False) -> bool:
        """Somebody pays a code at the bank's counter or on the phone; whether it could be paid."""
        return self.may("POST", "pay", {"pay_code": payment.out_trade_no, "force": force})

    def fetch(self) -> int:
        """Every confirmation that waits goes to the city, and its 8001 back; how many there were."""
        found = self.control("GET", "notices?all=1")
        for each in found:
            frame = base64.b64decode(each["body"])
            _, answer, _ = payments.take_notice("nontax", {}, frame)
            self._confirm(frame)
            self.control("POST", f"notices/{each['id']}", {"body": base64.b64encode(answer).decode()})
        return len(found)

    def _confirm(self, frame: bytes) -> None:
        """What is not to be believed confirms nothing, nor what says otherwise than before."""
        with contextlib.suppress(XuekaError):
            message = payments.cnnontax.receive(frame, self._frames)
            for voucher in message.vouchers:
                treasury.take_confirmation(_WORKER, dict(voucher), message.msg_id)


@contextlib.contextmanager
def running(*, seed: int, faults: str) -> Iterator[Office]:
    """The simulator as its own process, ended by its process id."""
    with running_beside("finance", seed=seed, faults=faults) as card:
        made = Office(card)
        yield made
        made.keep_time(None)
