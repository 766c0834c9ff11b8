"""The city's key that signs closes, made at first use as a sealed file under XUEKA_HOME/keys/closing.

Not the key of the card bureau nor of the hot-list: what the treasury is told is signed by a key of its own.
"""

from functools import cache
from pathlib import Path

from xueka.contexts.closing.models import Close
from xueka.kernel.errors import Refused
from xueka.platform.crypto import sealed_files
from xueka.platform.crypto.sealed_files import Entry
from xueka.platform.crypto.sm2 import PrivateKey, PublicKey
from xueka.platform.database.home import keys_directory

SIGNING = "close-sign.key"


def signing_key() -> PrivateKey:
    """Made only while nothing is signed yet: a lost key is not replaced in silence.

    Raises Refused `CLOSE_KEY_LOST`.
    """
    path = _path()
    if not path.exists():
        _signing_key.cache_clear()
        if Close.objects.filter(seq__isnull=False).exists():
            raise Refused(
                "CLOSE_KEY_LOST",
                "周结签名密钥不见了，已有签署过的周结，不能另造一把。",
                where=f"keys/closing/{SIGNING}",
                action="请从备份恢复密钥文件后再签署。",
            )
    return _signing_key(path)


def public_key() -> PublicKey | None:
    """What an auditor verifies with; None where no key is there. Reading makes none."""
    path = _path()
    return _signing_key(path).public if path.exists() else None


def _path() -> Path:
    return keys_directory().joinpath("closing", SIGNING)


@cache
def _signing_key(path: Path) -> PrivateKey:
    return PrivateKey.from_pem(sealed_files.content(path, lambda: PrivateKey.generate().to_pem(), _describe))


def _describe(content: bytes) -> list[Entry]:
    fingerprint = PrivateKey.from_pem(content).public.fingerprint
    return [Entry("closing.sign", "周结签名密钥", "signing", "sm2", 1, fingerprint[:6])]
