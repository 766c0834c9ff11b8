"""Who the counterparts are: one folder each below `XUEKA_HOME/exchange`, with what they handed over.

`partner.json` (docs/settings.md, docs/interfaces/exchange.md §2) names the counterpart, its address, the
secrets of either direction, its SM2 key and its limits. A file that cannot be read closes that counterpart
alone, and is told.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from xueka.kernel.errors import BadInput, NotFound, XuekaError
from xueka.platform.crypto.sealed_files import Stamp
from xueka.platform.crypto.sm2 import PrivateKey, PublicKey
from xueka.platform.exchange import own_keys
from xueka.platform.exchange.signatures import SM2, V1, Keys, secret

CARD = "partner.json"
_CODE = re.compile(r"[a-z][a-z0-9-]{1,30}", re.ASCII)
_MAY_BE_NOTHING = {"retry_base", "retry_most", "breaker_base", "breaker_most"}
_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What one counterpart bears, and how patient we are. Seconds, unless said otherwise."""

    per_second: float = 50.0  # messages
    at_once: int = 8  # calls at a time
    timeout: float = 5.0
    retry_base: float = 2.0  # before the second try; doubled each time
    retry_most: float = 600.0
    max_tries: int = 30  # then it is a dead letter
    breaker_after: int = 10  # failures in a row
    breaker_base: float = 10.0
    breaker_most: float = 600.0
    in_time: float = 300.0  # a message delivered within this is timely


@dataclass(frozen=True, slots=True, eq=False)
class Counterpart:
    """`datasets` are those compared with it every day; `more`: its whole file. One object a version of the
    file and of our own key.
    """

    code: str
    name: str
    base: str
    limits: Limits = field(default_factory=Limits)
    sending: Keys = field(default_factory=Keys, repr=False)
    receiving: Keys = field(default_factory=Keys, repr=False)
    datasets: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict, repr=False)


def folder() -> Path:
    made: Path = settings.EXCHANGE_PARTNERS
    return made


def counterparts() -> list[Counterpart]:
    """All whose file can be read, by code."""
    found = []
    for code in codes():
        try:
            found.append(counterpart(code))
        except XuekaError:
            continue
    return found


def codes() -> list[str]:
    """The codes of all that have a file, whatever is in it."""
    if not folder().is_dir():
        return []
    return sorted(
        each.parent.name for each in folder().glob(f"*/{CARD}") if _CODE.fullmatch(each.parent.name)
    )


def counterpart(code: str) -> Counterpart:
    """One of them. Raises NotFound `COUNTERPART_UNKNOWN`, BadInput `COUNTERPART_FILE`."""
    path = folder() / code / CARD
    try:
        known = path.stat() if _CODE.fullmatch(code) else None
    except OSError:
        known = None
    if known is None:
        raise NotFound("COUNTERPART_UNKNOWN", "没有这个对接方。", action="请核对对接方的代码。")
    return _read(path, known.st_mtime_ns, known.st_size, own_keys.stamp(code))


@lru_cache(maxsize=64)
def _read(path: Path, changed: int, size: int, own: Stamp | None) -> Counterpart:
    code = path.parent.name
    try:
        card = json.loads(path.read_text("utf-8"))
        base = _address(str(card["base"]))
        signing = card.get("sign", [V1])
        ours = tuple(secret(each) for each in card.get("send_secrets", [])) if V1 in signing else ()
        public = tuple(PublicKey.from_pem(each.encode()) for each in card.get("sm2_public", []))
        made = Counterpart(
            code,
            str(card["name"]),
            base,
            _limits(card.get("limits", {})),
            Keys(ours, _own(code) if SM2 in signing else ()),
            Keys(tuple(secret(each) for each in card.get("receive_secrets", [])), (), public),
            tuple(map(str, card.get("datasets", []))),
            card,
        )
        if not made.sending.secrets and not made.sending.private:
            raise ValueError("send_secrets")
    except BadInput as error:
        raise _broken(path, error.message) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _broken(path, f"{type(error).__name__} {error}"[:80]) from None
    return made


def _address(text: str) -> str:
    """`https://`, or this machine. What stands before an `@` only looks like the host."""
    told = urlsplit(text)
    safe = told.scheme == "https" or (told.scheme, told.hostname) == ("http", "127.0.0.1")
    if not safe or not told.hostname or "@" in told.netloc or told.query or told.fragment:
        raise ValueError("base")
    return text.rstrip("/")


def _limits(told: Mapping[str, Any]) -> Limits:
    """Numbers that can be reckoned with; else the counterpart would break whoever sends to it."""
    made = Limits(**told)
    for each in fields(Limits):
        value = getattr(made, each.name)
        right = type(value) is int or (each.type is float and type(value) is float)
        least = 0 if each.name in _MAY_BE_NOTHING else 0.001
        if not right or not least <= value <= _MOST:
            raise ValueError(f"limits {each.name}")
    return made


def _own(code: str) -> tuple[PrivateKey, ...]:
    return tuple(each.private for each in own_keys.signing(code) if each.private)


def _broken(path: Path, found: str) -> BadInput:
    return BadInput(
        "COUNTERPART_FILE",
        f"对接方 {path.parent.name} 的参数文件不能用。",
        where=str(path),
        found=found,
        action="请对照数据交换接口说明第 2 节改正；其他对接方不受影响。",
    )
