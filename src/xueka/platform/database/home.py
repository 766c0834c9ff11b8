"""XUEKA_HOME: the one directory that holds everything an installation writes."""

import contextlib
import json
import os
import secrets
from pathlib import Path


def home() -> Path:
    """The data directory: `XUEKA_HOME`, else `./var`. Absolute; not necessarily present yet."""
    return Path(os.environ.get("XUEKA_HOME") or "var").absolute()


def made_home() -> Path:
    """`home()`, made if it is not there. Nobody else looks in; root lets the database's user pass through."""
    base = home()
    for folder in reversed([base, *base.parents]):
        if not folder.exists():
            folder.mkdir(exist_ok=True)
            folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    return base


def serving_at() -> str:
    """The address under which `xueka serve` runs on this home, without a slash at its end; empty while it
    does not.
    """
    try:
        return str(json.loads((home() / "serve.json").read_text("utf-8"))["address"]).rstrip("/")
    except (OSError, ValueError, KeyError):
        return ""


def private_directory(path: Path) -> Path:
    """Make `path` (and its parents) and let nobody but its owner look inside."""
    if not path.is_dir():
        made_home()
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o700)
    return path


def keys_directory() -> Path:
    """Where generated secrets live, readable by their owner only."""
    return private_directory(home() / "keys")


def secret(name: str, *, length: int = 48) -> str:
    """The secret `name`, made on first use. Two processes that come first at once agree on one value."""
    path = keys_directory() / name
    try:
        return path.read_text("ascii")
    except FileNotFoundError:
        pass
    draft = path.with_name(f".{name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(length))
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(draft)
    draft.unlink()
    return path.read_text("ascii")
