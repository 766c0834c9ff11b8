"""Who is at which application: a courtesy among colleagues at one queue, which forbids nothing.

It lies in the cache, a table of the database that outlives every process. No work can be lost with it: an
application is begun under its lock and moves on in that moment, so a colleague who begins it too is refused.

An operator has one waiting application at a time, and the cards that she makes.
"""

from collections.abc import Iterable

from django.core.cache import cache

from xueka.platform.identity.actor import Actor

HELD = 15 * 60  # seconds since she last opened it


def take(actor: Actor, number: str, *, waiting: bool = False) -> str:
    """It is hers from now on, unless a colleague has it: then the colleague's name.

    `waiting`: nothing is made yet, so the one that she had opened before is free again.
    """
    mine = (actor.username, actor.name)
    if not cache.add(_key(number), mine, HELD):
        username, name = cache.get(_key(number), mine)
        if username != actor.username:
            return str(name)
        cache.set(_key(number), mine, HELD)
    if waiting:
        before = cache.get(_at(actor))
        if before and before != number:
            cache.delete(_key(before))
        cache.set(_at(actor), number, HELD)
    return ""


def seize(actor: Actor, number: str) -> None:
    """She does something about it: it is hers, whoever had it, and stays so when she opens another one."""
    cache.set(_key(number), (actor.username, actor.name), HELD)
    if cache.get(_at(actor)) == number:
        cache.delete(_at(actor))


def colleagues(actor: Actor, numbers: Iterable[str]) -> dict[str, str]:
    """Which of these applications colleagues have, by number: their names."""
    found = cache.get_many([_key(number) for number in numbers])
    return {
        key.removeprefix(_key("")): name
        for key, (username, name) in found.items()
        if username != actor.username
    }


def _key(number: str) -> str:
    return f"counter:taken:{number}"


def _at(actor: Actor) -> str:
    return f"counter:at:{actor.username}"
