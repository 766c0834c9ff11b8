"""The payment channels' process beside a simulated city."""

import base64
import contextlib
import urllib.error
from collections.abc import Iterator
from datetime import date
from typing import Any

from xueka.contexts.payments import api as payments
from xueka.platform.identity.actor import Actor
from xueka.simulation.beside import OPENER, Counterpart, running_beside

#: Where the channels would send notices; nobody listens there, since they are fetched.
SITE = "http://127.0.0.1:9"


class Channels(Counterpart):
    """What a simulated city lets the channels do (docs/interfaces/channels.md §8)."""

    def __init__(self, card: dict[str, Any]) -> None:
        super().__init__(card["base"], card["control_token"])

    def pays(self, payment: payments.Payment, *, force: bool = False) -> bool:
        """A payer presses the button; whether the channel took the money. `force`: although it is closed."""
        body = {"channel": payment.channel, "out_trade_no": payment.out_trade_no, "force": force}
        return self.may("POST", "pay", body)

    def opens(self, address: str) -> None:
        """A payer's browser opens the pay page, again where the channel hangs up or stumbles."""
        self.keep_time()
        for _ in range(10):
            try:
                OPENER.open(address, timeout=60).close()
                return
            except OSError:
                continue

    def fetch(self) -> int:
        """Every notice that waits goes to the city, and its answer back; how many there were."""
        found = self.control("GET", "notices?all=1")
        for each in found:
            status, body, _ = payments.take_notice(
                each["channel"], each["headers"], base64.b64decode(each["body"])
            )
            self.control("POST", f"notices/{each['id']}", {"status": status, "body": body.decode()})
        return len(found)

    def end_refunds(self) -> None:
        """Refunds that hang are looked after by the channel's people, and come to be done."""
        for each in self.control("GET", "refunds"):
            if each["status"] == "PROCESSING" and not each["due"]:
                body = {"out_refund_no": each["out_refund_no"], "status": "SUCCESS"}
                with contextlib.suppress(urllib.error.HTTPError):
                    self.control("POST", "refunds", body)

    def right_statement(self, channel: str, kind: str, day: date) -> bytes:
        """What the channel's people send when they are asked about a wrong one."""
        return self.raw("GET", f"statement?channel={channel}&kind={kind}&day={day}")


@contextlib.contextmanager
def running(*, seed: int, faults: str) -> Iterator[Channels]:
    """The simulator as its own process, ended by its process id."""
    with running_beside("channels", seed=seed, faults=faults) as card:
        made = Channels(card)
        yield made
        made.keep_time(None)


def introduce() -> None:
    """Our accounts at the channels, and our keys with them."""
    payments.introduce(Actor.system("simulation"), SITE)
