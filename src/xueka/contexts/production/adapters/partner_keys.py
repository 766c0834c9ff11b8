"""The city's own keys towards the bureau, made at first use under XUEKA_HOME/keys/bureau (mode 0600).

What the bureau needs of them (`public_keys`) is handed over as files (card-bureau.md §2).
"""

import contextlib
import os
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import asyncssh

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
    return PrivateKey.from_pem(_once(folder / SIGNING, lambda: PrivateKey.generate().to_pem()))


@cache
def _ssh_key(folder: Path) -> asyncssh.SSHKey:
    def make() -> bytes:
        return asyncssh.generate_private_key("ssh-ed25519", comment="xueka").export_private_key()

    return asyncssh.import_private_key(_once(folder / SSH, make))


def _folder() -> Path:
    return private_directory(keys_directory() / "bureau")


def _once(path: Path, make: Callable[[], bytes]) -> bytes:
    """The file's content; when two processes come first at once, both get the one that was first."""
    if not path.exists():
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    return path.read_bytes()
