"""The other side of a comparison: questions to the counterpart (docs/interfaces/exchange.md §7)."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from xueka.contexts.interop.domain.buckets import Side
from xueka.kernel.errors import XuekaError
from xueka.platform.exchange.codes import words
from xueka.platform.exchange.counterparts import Counterpart
from xueka.platform.exchange.wire import Caller

_TRIES = 3
_HEX = frozenset("0123456789abcdef")
_MOST = 1_000_000_000  # records that a bucket may be said to hold


def side(caller: Caller, dataset: str) -> Side:
    """Raises XuekaError `COUNTERPART_ANSWER` where there is no usable answer after some tries."""

    def buckets(prefixes: Sequence[str], width: int) -> dict[str, tuple[int, str]]:
        told = _ask(caller, dataset, {"prefixes": list(prefixes), "width": width}, "buckets")
        found = {}
        for each in told:
            prefix, count, digest = each.get("prefix"), each.get("count"), each.get("digest")
            if not (isinstance(prefix, str) and len(prefix) == width and _HEX.issuperset(prefix)):
                raise _unusable(caller.partner, "buckets")
            if not (type(count) is int and 0 <= count <= _MOST):
                raise _unusable(caller.partner, "buckets")
            if count:
                found[prefix] = (count, str(digest))
        return found

    def records(prefixes: Sequence[str]) -> dict[str, str]:
        told = _ask(caller, dataset, {"prefixes": list(prefixes), "records": True}, "records")
        found = {}
        for each in told:
            key, text = each.get("key"), each.get("text")
            if not (_is_key(key) and isinstance(text, str) and text and text.isprintable()):
                raise _unusable(caller.partner, "records")
            found[key] = text[:500]
        return found

    return Side(buckets, records)


def _is_key(told: object) -> TypeGuard[str]:
    return isinstance(told, str) and 1 <= len(told) <= 80 and told.isascii() and told.isprintable()


def _ask(caller: Caller, dataset: str, question: Mapping[str, Any], what: str) -> list[dict[str, Any]]:
    said = None
    for _ in range(_TRIES):
        said, answer = caller.ask(f"/reconcile/{dataset}", f"rec_{secrets.token_hex(12)}", question)
        if answer is not None:
            told = answer.get(what) if isinstance(answer, dict) else None
            if not isinstance(told, list) or not all(isinstance(each, dict) for each in told):
                raise _unusable(caller.partner, what)
            return told
    why = f"{words(said.code)} {said.text}".strip() if said else ""
    raise XuekaError(
        "COUNTERPART_ANSWER",
        f"{caller.partner.name}没有回答核对的问题。",
        found=why,
        action="稍后会再核对；一直不成时请与对方联系。",
    )


def _unusable(partner: Counterpart, what: str) -> XuekaError:
    return XuekaError(
        "COUNTERPART_ANSWER",
        f"{partner.name}的核对应答不合约定。",
        where=what,
        action="请把数据交换接口说明第 7 节交给对方核对。",
    )
