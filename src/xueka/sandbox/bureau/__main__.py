"""`python -m xueka.sandbox.bureau`: the bureau's process, an SFTP drop box and somebody who looks into it.

Below --home: `city/city-sign.pub.pem` and `city/city-ssh.pub` are put there by the city before the start
(card-bureau.md §2); `partner.json` is what the bureau hands over in return, written when it listens.
"""

import argparse
import asyncio
import itertools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import asyncssh

from xueka.sandbox.bureau.faults import DIALS, Dice
from xueka.sandbox.bureau.works import Works
from xueka.sandbox.common import openssl

USERNAME = "xueka"


class DropBox(asyncssh.SFTPServer):
    """The city sees `in/` and `out/` and nothing else. `cut` says whether the line breaks now."""

    def __init__(
        self, channel: "asyncssh.SSHServerChannel[bytes]", root: Path, cut: Callable[[], bool]
    ) -> None:
        self._line, self._cut = channel.get_connection(), cut
        super().__init__(channel, chroot=os.fsencode(root))

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        self._maybe_cut()
        return super().open(path, pflags, attrs)

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        """The line may break after it: the city does not know that its file has come."""
        super().posix_rename(oldpath, newpath)
        self._maybe_cut()

    def _maybe_cut(self) -> None:
        if self._cut():
            self._line.abort()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m xueka.sandbox.bureau", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: the one used before, else any free one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", choices=sorted(DIALS), default="none")
    parser.add_argument(
        "--drop", type=float, default=0.0, help="of file operations, at how many the line breaks"
    )
    parser.add_argument("--interval", type=float, default=0.05, help="seconds between two looks into in/")
    options = parser.parse_args()
    try:
        asyncio.run(_serve(options))
    except openssl.OpenSSLError as error:
        sys.exit(f"bureau: {error}")
    except KeyboardInterrupt:
        pass


async def _serve(options: argparse.Namespace) -> None:
    works = Works(options.home, seed=options.seed, faults=options.faults)
    host_key = _host_key(works.keys_folder / "host.key")
    card = options.home / "partner.json"

    dice, operations = Dice(options.seed, "line"), itertools.count()

    def cut() -> bool:
        hit = dice.happens(f"drop {next(operations)}", options.drop)
        if hit:
            with (options.home / "dropped").open("a") as log:
                log.write(f"{dice.struck[-1]}\n")
        return hit

    server = await asyncssh.listen(
        options.host,
        options.port or _port_before(card),
        server_host_keys=[host_key],
        authorized_client_keys=str(options.home / "city" / "city-ssh.pub"),
        password_auth=False,
        kbdint_auth=False,
        sftp_factory=lambda channel: DropBox(channel, works.box_in.parent, cut),
        allow_scp=False,
    )
    async with server:
        _introduce(works, card, options.host, server.get_port(), host_key)
        parent = os.getppid()
        while os.getppid() == parent:  # an orphan has nobody left to work for
            await asyncio.to_thread(works.look)
            await asyncio.sleep(options.interval)


def _host_key(path: Path) -> asyncssh.SSHKey:
    if not path.exists():
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(path))
        path.chmod(0o600)
    return asyncssh.read_private_key(str(path))


def _port_before(card: Path) -> int:
    return json.loads(card.read_text("utf-8"))["port"] if card.exists() else 0


def _introduce(works: Works, card: Path, host: str, port: int, host_key: asyncssh.SSHKey) -> None:
    part = card.with_suffix(".part")
    part.write_text(
        json.dumps(
            {
                "code": "demo-bureau",
                "name": "样例卡厂（模拟器）",
                "host": host,
                "port": port,
                "username": USERNAME,
                "host_key": host_key.export_public_key().decode().strip(),
                "signing_key": openssl.public(works.signing_key).read_text(),
                "encryption_key": openssl.public(works.keys.own).read_text(),
            },
            ensure_ascii=False,
            indent=2,
        ),
        "utf-8",
    )
    part.replace(card)


if __name__ == "__main__":
    main()
