"""Keys: each channel's own, and the public halves that the merchant handed over as files (channels.md §1)."""

import base64
import secrets
import string
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID

LETTERS = string.ascii_letters + string.digits
PEM, SPKI = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo


def nonce(length: int = 32) -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(length))


def sign(key: RSAPrivateKey, text: bytes) -> str:
    return base64.b64encode(key.sign(text, PKCS1v15(), hashes.SHA256())).decode()


def fits(key: RSAPublicKey, text: bytes, signature: str) -> bool:
    """Whether the base64 RSA-SHA256 signature is of these bytes."""
    try:
        key.verify(base64.b64decode(signature, validate=True), text, PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def seal(key: str, nonce: str, associated: str, text: bytes) -> str:
    """AES-256-GCM as WeChat Pay does it: key and nonce are their ASCII characters."""
    cipher = AESGCM(key.encode()).encrypt(nonce.encode(), text, associated.encode())
    return base64.b64encode(cipher).decode()


def pem(key: RSAPrivateKey) -> str:
    return key.public_key().public_bytes(PEM, SPKI).decode()


class Keys:
    """Made at the first start below `home`/keys, read back afterwards."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "keys"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        self.wechat = self._key("wechat-public-key")
        self.platform = self._key("wechat-platform")
        self.platform_certificate = self._certificate("wechat-platform", self.platform, "Tenpay.com Root CA")
        self.alipay = self._key("alipay")
        self.unionpay = self._key("unionpay")
        self.unionpay_certificate = self._certificate("unionpay", self.unionpay, "UnionPay Test")
        self.stranger = self._key("stranger")
        self.apiv3_key = self._secret("apiv3", lambda: nonce(32))
        self.public_key_id = self._secret(
            "public-key-id", lambda: f"PUB_KEY_ID_{secrets.randbelow(10**20):020d}"
        )
        self.control_token = self._secret("control", lambda: secrets.token_urlsafe(32))

    @property
    def platform_serial(self) -> str:
        return serial(self.platform_certificate)

    def _key(self, name: str) -> RSAPrivateKey:
        path = self._folder / f"{name}.key"
        if not path.exists():
            key = generate_private_key(public_exponent=65537, key_size=2048)
            form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            _keep(path, key.private_bytes(PEM, form, none))
        found = serialization.load_pem_private_key(path.read_bytes(), None)
        assert isinstance(found, RSAPrivateKey)
        return found

    def _certificate(self, name: str, key: RSAPrivateKey, subject: str) -> x509.Certificate:
        path = self._folder / f"{name}.cert.pem"
        if not path.exists():
            _keep(path, certificate(key, subject).public_bytes(PEM))
        return x509.load_pem_x509_certificate(path.read_bytes())

    def _secret(self, name: str, make: Callable[[], str]) -> str:
        path = self._folder / f"{name}.secret"
        if not path.exists():
            _keep(path, make().encode())
        return path.read_text("ascii")


def certificate(key: RSAPrivateKey, subject: str) -> x509.Certificate:
    """Self-signed, for ten years."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    now = datetime.now(UTC)
    draft = x509.CertificateBuilder(name, name, key.public_key()).serial_number(x509.random_serial_number())
    draft = draft.not_valid_before(now - timedelta(days=3650)).not_valid_after(now + timedelta(days=3650))
    return draft.sign(key, hashes.SHA256())


def serial(found: x509.Certificate) -> str:
    return f"{found.serial_number:X}"


def _keep(path: Path, content: bytes) -> None:
    draft = path.with_suffix(".part")
    draft.touch(mode=0o600)
    draft.write_bytes(content)
    draft.rename(path)


class Merchant:
    """The files that the city put below `home`/city; read again when one changes."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "city"
        self._seen: dict[Path, tuple[int, RSAPublicKey, int]] = {}

    def certificates(self, channel: str) -> dict[int, RSAPublicKey]:
        """By serial number."""
        return {
            number: key for key, number in (self._read(path) for path in self._files(f"{channel}-*.cert.pem"))
        }

    def keys(self, channel: str) -> list[RSAPublicKey]:
        return [self._read(path)[0] for path in self._files(f"{channel}-*.pub.pem")]

    def _files(self, pattern: str) -> list[Path]:
        return sorted(self._folder.glob(pattern))

    def _read(self, path: Path) -> tuple[RSAPublicKey, int]:
        changed = path.stat().st_mtime_ns
        seen = self._seen.get(path)
        if seen is None or seen[0] != changed:
            content, number = path.read_bytes(), 0
            key: object
            if path.name.endswith(".cert.pem"):
                found = x509.load_pem_x509_certificate(content)
                key, number = found.public_key(), found.serial_number
            else:
                key = serialization.load_pem_public_key(content)
            assert isinstance(key, RSAPublicKey), f"{path.name}: RSA is wanted"
            self._seen[path] = seen = (changed, key, number)
        return seen[1], seen[2]
