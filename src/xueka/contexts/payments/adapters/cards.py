"""What we and the channels know of each other: their cards as files, our keys in sealed files.

A channel's card (docs/interfaces/channels.md §1) holds its addresses, our numbers there and its public keys.
Our private keys are made at first use below XUEKA_HOME/keys/channels; only public halves are handed over.
"""

import json
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from django.conf import settings

from xueka.contexts.payments.ports import ChannelUnavailable
from xueka.kernel import clock
from xueka.platform.crypto import sealed_files
from xueka.platform.crypto.sealed_files import Entry
from xueka.platform.database.home import keys_directory, private_directory

#: Our keys: name → what the list of the platform's keys calls it.
OURS = {
    "wechat-merchant": "微信支付商户签名密钥",
    "alipay-app": "支付宝应用签名密钥",
    "unionpay-merchant": "银联商户签名密钥",
}


def card(folder: Path | None = None) -> dict[str, Any]:
    """The card of the channels. Raises ChannelUnavailable while there is none."""
    path = folder.joinpath("partner.json") if folder else settings.CHANNEL_PARTNER
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        raise ChannelUnavailable(
            "CHANNEL_NO_CARD",
            "还没有渠道交来的参数文件。",
            where=str(path),
            action="请向渠道取得参数文件，放到指定位置。",
        ) from None
    return found


def private_key(name: str) -> str:
    """One of our keys as PEM (PKCS #8)."""
    return _private_key(private_directory(keys_directory().joinpath("channels")), name)


def certificate(name: str) -> x509.Certificate:
    """The certificate of one of our keys, self-signed: its serial number is the key's own, so it stays."""
    key = serialization.load_pem_private_key(private_key(name).encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"xueka {name}")])
    now = clock.now()
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(_serial(key))
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=5 * 365))
    )
    return made.sign(key, hashes.SHA256())


def serial(name: str) -> str:
    """The number by which a channel knows our certificate, upper-case hexadecimal."""
    key = serialization.load_pem_private_key(private_key(name).encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return f"{_serial(key):X}"


def hand_over(folder: Path) -> list[str]:
    """Put the public halves of our keys where the channels fetch them; the names of the files."""
    city = folder.joinpath("city")
    city.mkdir(parents=True, exist_ok=True)
    pem = serialization.Encoding.PEM
    public = serialization.load_pem_private_key(private_key("alipay-app").encode(), None).public_key()
    written = {
        "wechat-merchant.cert.pem": certificate("wechat-merchant").public_bytes(pem),
        "unionpay-merchant.cert.pem": certificate("unionpay-merchant").public_bytes(pem),
        "alipay-app.pub.pem": public.public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo),
    }
    for name, content in written.items():
        draft = city.joinpath(f".{name}.part")
        draft.write_bytes(content)
        draft.replace(city.joinpath(name))
    return sorted(written)


@cache
def _private_key(folder: Path, name: str) -> str:
    def describe(content: bytes) -> list[Entry]:
        key = serialization.load_pem_private_key(content, None)
        assert isinstance(key, rsa.RSAPrivateKey)
        return [Entry(f"channel.{name}", OURS[name], "signing", "rsa-2048", 1, f"{_serial(key):X}"[:6])]

    return sealed_files.content(folder.joinpath(f"{name}.key"), _fresh, describe).decode("ascii")


def _fresh() -> bytes:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _serial(key: rsa.RSAPrivateKey) -> int:
    """Of the public key, so that a certificate made anew has the same: 16 bytes, the first bit zero."""
    spki = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    digest = hashes.Hash(hashes.SHA256())
    digest.update(spki)
    return int.from_bytes(digest.finalize()[:16], "big") >> 1 or 1
