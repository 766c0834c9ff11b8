"""What the production line needs from outside: the bureau's drop box."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from xueka.contexts.production.models import Partner
from xueka.kernel.errors import XuekaError

#: Bytes; larger than any file of the format.
SIZE_LIMIT = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file in the bureau's out folder; `modified` is its time in seconds as the server tells it."""

    name: str
    size: int
    modified: int


class BureauGateway(Protocol):
    """An open connection to the drop box (docs/interfaces/card-bureau.md §1)."""

    def upload(self, name: str, content: bytes) -> None:
        """Put a file into `in/` under `<name>.part`, then rename it. Safe to repeat."""

    def list_out(self) -> list[RemoteFile]:
        """What lies in `out/`, without `.part` files, by name."""

    def download(self, name: str) -> bytes:
        """A file of `out/`; it stays there."""


class BureauUnavailable(XuekaError):
    """The connection or the transfer failed; nothing is known of what arrived. Try again later."""


#: Opens a connection to a confirmed partner; raises BureauUnavailable.
Connect = Callable[[Partner], AbstractContextManager[BureauGateway]]
