"""Who this counter PC is: its key pair and its name at the server, in a folder for its user alone."""

import base64
import hashlib
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

PATH = "/api/agent/v1"
KEY_FILE, STATE_FILE = "agent.key", "agent.json"


def default_folder() -> Path:
    """The user's place for the state of programs."""
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home()))) / "xueka-agent"
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "xueka-agent"


@dataclass
class Identity:
    folder: Path
    key: Ed25519PrivateKey
    server: str = ""
    agent: str = ""  # empty: not enrolled

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The key pair is made when the folder is new."""
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        path = folder / KEY_FILE
        key = _new_key(path) if not path.exists() else _read_key(path)
        state: dict[str, Any] = {}
        if (folder / STATE_FILE).exists():
            state = json.loads((folder / STATE_FILE).read_text("utf-8"))
        return cls(folder, key, state.get("server", ""), state.get("agent", ""))

    def renew_key(self) -> None:
        """Another key pair: the server knows the old one as another agent's."""
        self.key = _new_key(self.folder / KEY_FILE)

    def enrolled(self, server: str, agent: str) -> None:
        self.server, self.agent = server, agent
        text = json.dumps({"server": server, "agent": agent})
        write_private(self.folder / STATE_FILE, text.encode())

    @property
    def public_key(self) -> str:
        """Base64 of the 32 bytes."""
        return base64.b64encode(self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()

    def headers(self, path: str, body: bytes, now: int, nonce: str | None = None) -> dict[str, str]:
        """The four headers of a signed request; `path` is the whole one, without host and query."""
        nonce = nonce or secrets.token_hex(16)
        text = "\n".join(["POST", path, str(now), nonce, hashlib.sha256(body).hexdigest()])
        return {
            "Xueka-Agent": self.agent,
            "Xueka-Timestamp": str(now),
            "Xueka-Nonce": nonce,
            "Xueka-Signature": base64.b64encode(self.key.sign(text.encode())).decode(),
        }


def _new_key(path: Path) -> Ed25519PrivateKey:
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    write_private(path, base64.b64encode(private))
    return key


def _read_key(path: Path) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(path.read_bytes()))


def write_private(path: Path, content: bytes, durable: bool = True) -> None:
    """All of it or nothing, for this user alone; `durable`: it stands a power cut once this returns."""
    beside = path.with_name(path.name + ".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    beside.replace(path)
    if durable and os.name != "nt":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
