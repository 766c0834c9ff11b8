"""The canonical form of an audit entry, and the digest that chains it. Published in docs/adr/0011.

A link hashes the JSON array [seq, sealed_at, *FIELDS] without white space, object keys sorted, characters
beyond ASCII as themselves, in UTF-8; moments are microseconds since 1970-01-01T00:00Z. Anyone with the two
tables and an SM3 program can repeat it.
"""

import json
from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives import hashes

GENESIS = bytes(32)

FIELDS = (
    "id",
    "at",
    "actor",
    "actor_name",
    "role",
    "scope",
    "address",
    "action",
    "object_type",
    "object_id",
    "result",
    "recorded_at",
    "detail",
)
_MOMENTS = {"at", "recorded_at"}
_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
_digest = hashes.Hash(hashes.SM3())


def microseconds(column: str) -> str:
    """SQL for a timestamp column as a whole number."""
    return f"(extract(epoch FROM {column}) * 1000000)::bigint"


def columns(table: str) -> str:
    """SQL for an entry's FIELDS; `detail`, the last one, as text."""
    parts = [
        microseconds(f"{table}.{name}") if name in _MOMENTS else f"{table}.{name}" for name in FIELDS[:-1]
    ]
    return ", ".join([*parts, f"{table}.detail::text"])


def digest(previous: bytes, seq: int, sealed_at: int, entry: Sequence[Any]) -> bytes:
    """SM3(previous digest, canonical form of [seq, sealed_at, *entry]); `entry` as `columns` reads it."""
    text = _encode([seq, sealed_at, *entry[:-1], json.loads(entry[-1])])
    link = _digest.copy()
    link.update(previous)
    link.update(text.encode())
    return link.finalize()
