"""The head of the audit chain, kept outside the database: whoever rewrites the database cannot rewrite it.

`XUEKA_HOME/audit/head.json` holds {"seq", "digest" (hex), "at" (ISO 8601)} of the last seal. It is written
after each act of sealing, so after a crash it may be one act behind, never more (docs/adr/0011).
"""

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from xueka.platform.database import home


@dataclass(frozen=True, slots=True)
class Head:
    """The last link: its number, its digest (32 bytes) and when it was sealed."""

    seq: int
    digest: bytes
    at: datetime

    def as_dict(self) -> dict[str, object]:
        return {"seq": self.seq, "digest": self.digest.hex(), "at": self.at.isoformat()}


def path() -> Path:
    """Where the head lies. In production: a directory that the database server does not reach."""
    return home.private_directory(home.home() / "audit") / "head.json"


def read() -> Head | None:
    """The stored head; None before the first seal. An unreadable file raises ValueError."""
    try:
        stored = json.loads(path().read_text("utf-8"))
        return Head(int(stored["seq"]), bytes.fromhex(stored["digest"]), datetime.fromisoformat(stored["at"]))
    except FileNotFoundError:
        return None
    except (KeyError, TypeError) as error:
        raise ValueError(f"audit head unreadable: {error}") from error


def write(head: Head) -> None:
    """Replace the head in one step that survives a power cut."""
    target = path()
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(head.as_dict(), file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(target)
    directory = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
