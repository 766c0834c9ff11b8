"""The city's own keys towards the bureau, made at first use as sealed files under XUEKA_HOME/keys/bureau.

What the bureau needs of them (`public_keys`) is handed over as files (card-bureau.md §2).
"""

from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import asyncssh

from xueka.platform.crypto import sealed_files, sm3
from xueka.platform.crypto.sealed_files import Entry
from xueka.platform.crypto.sm2 import PrivateKey
from xueka.platform.database.home import keys_directory, private_directory

SIGNING = "city-sign.key"
SSH = "city-ssh.key"


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """`signing_key` PEM, `fingerprint` its SM3 (64 hex), `ssh_key` one OpenSSH line."""

    signing_key: str
    fingerprint: str
    ssh_key: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def signing_key() -> PrivateKey:
    """The SM2 key that signs production packages."""
    return _signing_key(_folder())


def ssh_key() -> asyncssh.SSHKey:
    """The key with which the city logs in at the bureau."""
    return _ssh_key(_folder())


def public_keys() -> PublicKeys:
    public = signing_key().public
    return PublicKeys(
        public.to_pem().decode("ascii"),
        public.fingerprint,
        ssh_key().export_public_key().decode("ascii").strip(),
    )


def write_city_keys(folder: Path) -> None:
    """Our public keys as the files that the bureau registers: city-sign.pub.pem and city-ssh.pub."""
    found = public_keys()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "city-sign.pub.pem").write_text(found.signing_key, "ascii")
    (folder / "city-ssh.pub").write_text(f"{found.ssh_key}\n", "ascii")


@cache
def _signing_key(folder: Path) -> PrivateKey:
    path = folder / SIGNING
    return PrivateKey.from_pem(
        sealed_files.content(path, lambda: PrivateKey.generate().to_pem(), _describe_signing)
    )


@cache
def _ssh_key(folder: Path) -> asyncssh.SSHKey:
    def make() -> bytes:
        return asyncssh.generate_private_key("ssh-ed25519", comment="xueka").export_private_key()

    return asyncssh.import_private_key(sealed_files.content(folder / SSH, make, _describe_ssh))


def _folder() -> Path:
    return private_directory(keys_directory() / "bureau")


def _describe_signing(content: bytes) -> list[Entry]:
    fingerprint = PrivateKey.from_pem(content).public.fingerprint
    return [Entry("partner.signing", "生产文件签名密钥", "signing", "sm2", 1, fingerprint[:6])]


def _describe_ssh(content: bytes) -> list[Entry]:
    public = asyncssh.import_private_key(content).export_public_key()
    return [Entry("partner.ssh", "卡厂传输登录密钥", "login", "ed25519", 1, sm3.hexdigest(public)[:6])]
