"""What a payer's browser holds: an unguessable address of one pay page."""

import secrets

from xueka.sandbox.channels.book import Problem
from xueka.sandbox.common.store import Store


class Tickets:
    def __init__(self, store: Store) -> None:
        self._store = store

    def make(self, channel: str, number: str, back: str) -> str:
        """The page's address. Kept, so that it opens after a restart too."""
        token = secrets.token_urlsafe(24)
        self._store.insert("ticket", token=token, channel=channel, number=number, back=back)
        return f"/cashier/t/{token}"

    def read(self, token: str) -> tuple[str, str, str]:
        """Channel, order number, where to go afterwards. Problem `unknown`."""
        found = self._store.one("select * from ticket where token = ?", token)
        if found is None:
            raise Problem("unknown")
        return found["channel"], found["number"], found["back"]
