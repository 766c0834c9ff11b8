"""Which keys of a counterpart have messages: under way, held by a dead letter, ever told."""

from collections.abc import Sequence

from xueka.platform.exchange.models import OUT, Stream


def waiting_keys(counterpart: str, keys: Sequence[str]) -> set[str]:
    """Those of these keys that have a message on its way, in either direction."""
    rows = Stream.objects.filter(counterpart=counterpart, key__in=list(keys)).extra(
        where=["last_seq > done_seq"]
    )
    return set(rows.values_list("key", flat=True))


def held_keys(counterpart: str) -> set[str]:
    """Keys whose next message, in either direction, waits for a person."""
    rows = Stream.objects.filter(counterpart=counterpart, held=True).extra(where=["last_seq > done_seq"])
    return set(rows.values_list("key", flat=True))


def told_keys(counterpart: str, keys: Sequence[str]) -> set[str]:
    """Those of these keys of which the counterpart has ever been sent a message."""
    rows = Stream.objects.filter(direction=OUT, counterpart=counterpart, key__in=list(keys))
    return set(rows.values_list("key", flat=True))
