"""The city's key that signs hot-lists, made at first use as a sealed file under XUEKA_HOME/keys/partner.

It is not the key of the card bureau: a list given to a hundred partners and a production file are not signed
with the same one.
"""

from functools import cache
from pathlib import Path

from xueka.platform.crypto import sealed_files
from xueka.platform.crypto.sealed_files import Entry
from xueka.platform.crypto.sm2 import PrivateKey, PublicKey
from xueka.platform.database.home import keys_directory, private_directory

SIGNING = "hot-list-sign.key"


def signing_key() -> PrivateKey:
    return _signing_key(private_directory(keys_directory() / "partner"))


def public_key() -> PublicKey:
    """What partners verify with; its fingerprint is read to them over the telephone."""
    return signing_key().public


@cache
def _signing_key(folder: Path) -> PrivateKey:
    return PrivateKey.from_pem(
        sealed_files.content(folder / SIGNING, lambda: PrivateKey.generate().to_pem(), _describe)
    )


def _describe(content: bytes) -> list[Entry]:
    fingerprint = PrivateKey.from_pem(content).public.fingerprint
    return [Entry("partner.hot_list", "黑名单签名密钥", "signing", "sm2", 1, fingerprint[:6])]
