"""Where mail for us arrives: a small SMTP server behind the city's own, which checks for spam and viruses.

What is answered 250 is in the database. Whom we do not know, and what is too large, is refused at once.
"""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.db import close_old_connections, connections

from xueka.platform.mail import receiving

log = structlog.get_logger("xueka.mail")

_SECONDS = 60  # of silence on a connection
MOST_RECIPIENTS = 10


class Handler:
    """`ours()` gives the addresses that are taken, in lower case; it is asked anew for each."""

    def __init__(self, ours: Callable[[], set[str]]) -> None:
        self._ours = ours
        self._pool = ThreadPoolExecutor(1)  # one connection to the database

    def close(self) -> None:
        """What is being kept is kept; then the database is left."""
        self._pool.submit(connections.close_all).result()
        self._pool.shutdown()

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.lower() not in self._ours():
            return "550 5.1.1 no such mailbox"
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return "452 4.5.3 too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        raw = bytes(envelope.original_content or b"")
        client = str(session.peer[0]) if session.peer else ""
        told = envelope.mail_from or "", list(envelope.rcpt_tos), client
        try:
            await asyncio.get_running_loop().run_in_executor(self._pool, _keep, raw, *told)
        except Exception as error:  # whatever it is, the sender keeps the mail and comes again
            log.error("mail.not_kept", error=type(error).__name__)
            return "451 4.3.0 not kept, come again"
        return "250 2.0.0 kept"


def _keep(raw: bytes, sender: str, recipients: list[str], client: str) -> None:
    close_old_connections()  # one that broke meanwhile
    receiving.take(raw, sender, recipients, client)


class Listener:
    """Listening from `start` to `stop`; `port` is told by then."""

    def __init__(self, host: str, port: int, ours: Callable[[], set[str]], largest: int) -> None:
        self._handler = Handler(ours)
        self._controller = _Controller(
            self._handler,
            hostname=host,
            port=port,
            data_size_limit=largest,
            timeout=_SECONDS,
            server_hostname="xueka",
            ident="xueka",
        )

    def start(self) -> int:
        """Returns the port."""
        self._controller.start()
        return self._controller.bound

    def stop(self) -> None:
        self._controller.stop()
        self._handler.close()


class _Controller(Controller):
    """Takes port 0 for any free one."""

    bound = 0

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.bound = self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


def tell(folder: Path, host: str, port: int) -> None:
    """Say where we listen, for who brings mail: `smtp.json` in this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "smtp.part"
    part.write_text(json.dumps({"host": host, "port": port}), "ascii")
    part.replace(folder / "smtp.json")
