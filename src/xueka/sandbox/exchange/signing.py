"""Signatures of the exchange (§3): HMAC-SHA256 by the standard library, SM2 by the OpenSSL command."""

import base64
import binascii
import contextlib
import hashlib
import hmac
import re
import secrets
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from xueka.sandbox.common import openssl

WINDOW = 300
MOST = 8
V1, SM2 = "v1", "v1sm2"
_ID = re.compile(r"[A-Za-z0-9_-]{4,64}", re.ASCII)


class Wrong(Exception):
    """`code` of the refusal."""

    def __init__(self, code: str, title: str) -> None:
        super().__init__(title)
        self.code, self.title = code, title


class Keys:
    """What is signed and checked with, both ways by `versions` alone.

    Every file that is there is in use, and read at every call; so keys change while messages move (§9).
    """

    def __init__(self, home: Path, versions: Sequence[str]) -> None:
        self._versions, self._own, self._city = versions, home / "keys", home / "city"
        self._own.mkdir(exist_ok=True, mode=0o700)
        if V1 in versions:
            for name in ("from-xueka", "to-xueka"):
                if not self._secrets(name):
                    self.kept(name, "whsec_")
        if SM2 in versions and not self._signing():
            openssl.make_key(self._own / "sign.key")

    def card(self) -> dict[str, Any]:
        """Its members of `partner.json` (§2)."""
        public = [openssl.public(each).read_text("ascii") for each in self._signing()]
        return {
            "send_secrets": self._secrets("from-xueka"),
            "receive_secrets": self._secrets("to-xueka"),
            "sm2_public": public,
            "sign": list(self._versions),
        }

    def check(self, header: Callable[[str], str], body: bytes, moments: list[float]) -> str:
        """The id of a request signed just now, by one of `moments`. Raises Wrong."""
        name, stamp, given = (header(f"webhook-{part}") for part in ("id", "timestamp", "signature"))
        if not _ID.fullmatch(name) or not stamp.isascii() or not stamp.isdecimal() or not given:
            raise Wrong("SIGNATURE_MISSING", "缺少签名")
        if not any(abs(moment - int(stamp)) <= WINDOW for moment in moments):
            raise Wrong("TIMESTAMP_WRONG", "时间相差太多")
        ours, theirs = self._secrets("from-xueka"), self._registered()
        for one in given.split(" ")[:MOST]:
            version, _, text = one.partition(",")
            if version == V1 and any(
                hmac.compare_digest(sign(each, name, int(stamp), body), one) for each in ours
            ):
                return name
            if version == SM2 and any(_right(each, name, stamp, body, text) for each in theirs):
                return name
        raise Wrong("SIGNATURE_WRONG", "签名不对")

    def sign(self, name: str, stamp: int, body: bytes) -> str:
        """The header `webhook-signature` of a letter."""
        made = [sign(each, name, stamp, body) for each in self._secrets("to-xueka")]
        for each in self._signing():
            try:
                made.append(_sm2(each, name, stamp, body))
            except openssl.OpenSSLError:
                if each.exists():  # else it was taken away just now
                    raise
        return " ".join(made)

    def forged(self, name: str, stamp: int, body: bytes) -> str:
        """The same by a stranger, whose keys nobody knows."""
        with tempfile.TemporaryDirectory() as home:
            return Keys(Path(home), self._versions).sign(name, stamp, body)

    def kept(self, name: str, prefix: str = "") -> str:
        """A secret of our own, made at first use."""
        path = self._own / f"{name}.secret"
        if not path.exists():
            part = path.with_suffix(".part")
            part.touch(mode=0o600)
            made = secrets.token_bytes(32)
            part.write_text(prefix + base64.b64encode(made).decode() if prefix else made.hex(), "ascii")
            part.rename(path)
        return path.read_text("ascii")

    def _secrets(self, name: str) -> list[str]:
        found = []
        for each in sorted(self._own.glob(f"{name}*.secret")) if V1 in self._versions else []:
            with contextlib.suppress(FileNotFoundError):  # it was taken away just now
                found.append(each.read_text("ascii").strip())
        return found

    def _signing(self) -> list[Path]:
        return sorted(self._own.glob("sign*.key")) if SM2 in self._versions else []

    def _registered(self) -> list[Path]:
        return sorted(self._city.glob("*.pub.pem")) if SM2 in self._versions else []


def sign(secret: str, name: str, stamp: int, body: bytes) -> str:
    """One signature by HMAC."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    made = hmac.new(key, _content(name, str(stamp), body), hashlib.sha256).digest()
    return f"{V1},{base64.b64encode(made).decode('ascii')}"


def _sm2(key: Path, name: str, stamp: int, body: bytes) -> str:
    made = openssl.sign(key, _content(name, str(stamp), body))
    return f"{SM2},{base64.b64encode(made).decode('ascii')}"


def _right(key: Path, name: str, stamp: str, body: bytes, text: str) -> bool:
    try:
        signature = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return openssl.verify(key, _content(name, stamp, body), signature)


def _content(name: str, stamp: str, body: bytes) -> bytes:
    return f"{name}.{stamp}.".encode("ascii") + body
