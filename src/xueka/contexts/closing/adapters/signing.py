"""The city's key that signs closes, made at first use as a sealed file under XUEKA_HOME/keys/closing.

Not the key of the card bureau nor of the hot-list: what the treasury is told is signed by a key of its own.
"""

from functools import cache
from pathlib import Path

from xueka.platform.crypto import sealed_files
from xueka.platform.crypto.sealed_files import Entry
from xueka.platform.crypto.sm2 import PrivateKey, PublicKey
from xueka.platform.database.home import keys_directory, private_directory

SIGNING = "close-sign.key"


def signing_key() -> PrivateKey:
    return _signing_key(private_directory(keys_directory().joinpath("closing")))


def public_key() -> PublicKey:
    """What an auditor verifies with."""
    return signing_key().public


@cache
def _signing_key(folder: Path) -> PrivateKey:
    return PrivateKey.from_pem(
        sealed_files.content(folder.joinpath(SIGNING), lambda: PrivateKey.generate().to_pem(), _describe)
    )


def _describe(content: bytes) -> list[Entry]:
    fingerprint = PrivateKey.from_pem(content).public.fingerprint
    return [Entry("closing.sign", "周结签名密钥", "signing", "sm2", 1, fingerprint[:6])]
