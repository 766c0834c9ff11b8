"""Where a simulated family can pay: both channels, and the finance office's payment code."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from xueka.contexts.closing import api as closing
from xueka.contexts.payments import api as payments
from xueka.contexts.receipts import api as receipts
from xueka.simulation import channels, office
from xueka.simulation.channels import Channels
from xueka.simulation.office import Office


@dataclass(frozen=True, slots=True)
class Tills:
    """The counterparts of money, beside the city."""

    channels: Channels
    office: Office

    def pays(self, payment: payments.Payment, *, force: bool = False) -> bool:
        """Somebody pays this attempt; whether the channel took the money."""
        till = self.office if payment.channel == "nontax" else self.channels
        return till.pays(payment, force=force)

    def sweep(self) -> int:
        """Notices come, and the worker's sweeps run; how many notices came."""
        self.keep_time()
        fetched = self.channels.fetch() + self.office.fetch()
        payments.sweep()
        closing.sweep()
        receipts.sweep()
        return fetched

    def keep_time(self) -> None:
        self.channels.keep_time()
        self.office.keep_time()


@contextlib.contextmanager
def running(*, seed: int, faults: str) -> Iterator[Tills]:
    """Both processes, and our accounts with them."""
    with (
        channels.running(seed=seed, faults=faults) as those,
        office.running(seed=seed, faults=faults) as finance,
    ):
        channels.introduce()
        yield Tills(those, finance)
