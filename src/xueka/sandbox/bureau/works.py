"""The bureau at work on its drop box. Every step can be killed and is found again: a package is moved out of
`in/`, examined, remembered, acknowledged, made, reported – and each of these may be repeated."""

import base64
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from xueka.sandbox.bureau import factory
from xueka.sandbox.bureau.card_keys import Vault
from xueka.sandbox.bureau.faults import DIALS, Dice
from xueka.sandbox.bureau.package import NAME, Keys, Package, Refused, examine
from xueka.sandbox.common import openssl


class Works:
    """The folders of one bureau below `home`: dropbox/in, dropbox/out, work, books, aside, keys."""

    def __init__(self, home: Path, *, seed: int, faults: str) -> None:
        self.home, self.seed, self.dial = home, seed, DIALS[faults]
        self.box_in, self.box_out = home / "dropbox" / "in", home / "dropbox" / "out"
        self.work, self.books, self.aside = home / "work", home / "books", home / "aside"
        self.keys_folder = home / "keys"
        for folder in (self.box_in, self.box_out, self.work, self.books, self.aside, self.keys_folder):
            folder.mkdir(parents=True, exist_ok=True)
        self.signing_key = self._key("bureau-sign.key")
        self.vault = Vault(home / "vault")
        self.keys = Keys(home / "city" / "city-sign.pub.pem", self._key("bureau-enc.key"), self.vault)

    def _key(self, name: str) -> Path:
        path = self.keys_folder / name
        if not path.exists() or not openssl.public(path).exists():
            openssl.make_key(path)
        return path

    def look(self) -> int:
        """One round: take what has arrived, finish what was begun; returns how many packages."""
        for found in sorted(self.box_in.iterdir()):
            if found.name.endswith(".part"):
                continue
            found.rename((self.work if NAME.fullmatch(found.name) else self.aside) / found.name)
        begun = sorted(self.work.iterdir())
        for path in begun:
            self._take(path)
            path.unlink()
        return len(begun)

    def _take(self, path: Path) -> None:
        content = path.read_bytes()
        batch = NAME.fullmatch(path.name)[1]  # type: ignore[index]
        book = self.books / f"{batch}.json"
        known: dict[str, Any] | None = json.loads(book.read_text("utf-8")) if book.exists() else None
        try:
            package = examine(path.name, content, self.keys, known["sm3"] if known else None)
            self._maybe_unwilling(package, known)
        except Refused as refusal:
            self._acknowledge(path.name, openssl.sm3(content), code=refusal.code, message=str(refusal))
            return
        work = factory.work(package, self.dial, self.seed, self.signing_key)
        repeat = known is not None and (self.box_out / _acknowledgement_name(path.name)).exists()
        if known is None:
            cards = {
                card: [each.result, each.chip_uid, each.transit_number] for card, each in work.told.items()
            }
            kept = {"sm3": package.sm3, "cards": cards, "untold": work.untold, "faults": work.faults}
            _write(book, json.dumps(kept).encode())
        self._acknowledge(path.name, package.sm3, records=len(package.orders), repeat=repeat)
        self._report(package, work)

    def _maybe_unwilling(self, package: Package, known: dict[str, Any] | None) -> None:
        dice = Dice(self.seed, package.batch)
        if known is None and package.number == 1 and dice.happens("refuse", self.dial.refuse):
            raise Refused("OTHER", "产线检修，请重新生成后再送")

    def _acknowledge(
        self,
        name: str,
        digest: str,
        *,
        code: str = "",
        message: str = "",
        records: int | None = None,
        repeat: bool = False,
    ) -> None:
        match = NAME.fullmatch(name)
        if match is None:
            return
        body = {
            "format": "XKACK",
            "version": "1.0",
            "batch": match[1],
            "package": int(match[2]),
            "file": name,
            "sm3": digest,
            "result": "refused" if code else "accepted",
            "code": code,
            "message": message,
            "records": records,
            "repeat": repeat,
            "received_at": datetime.now(UTC).astimezone().isoformat(timespec="seconds"),
            "signer": openssl.fingerprint(openssl.public(self.signing_key)),
        }
        plain = json.dumps(body, ensure_ascii=False).encode()
        signature = openssl.sign(self.signing_key, plain)
        envelope = {
            "body": base64.b64encode(plain).decode(),
            "signature": base64.b64encode(signature).decode(),
        }
        _write(self.box_out / _acknowledgement_name(name), json.dumps(envelope).encode())

    def _report(self, package: Package, work: factory.Work) -> None:
        for file in work.files:
            path = self.box_out / f"XKR_{package.batch}_{file.number}.zip"
            if not path.exists():  # a file that was handed over once is never written anew
                _write(path, file.content)


def _acknowledgement_name(package_name: str) -> str:
    return package_name.replace("XKP_", "XKA_").replace(".zip", ".json")


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
