"""The sweeps of key management: blocks and rows go under a new key, destroyed keys leave their store, keys of
the platform are taken note of.

Each piece is a transaction of its own and may be killed at any point. They are the edge.
"""

from django.db import transaction

from xueka.contexts.keys.services import field_keys, platform_keys, removing, rewrapping
from xueka.platform.identity.actor import Actor
from xueka.platform.jobs.sweeps import every

WORKER = Actor.system("worker")


@every(5, "keys.rewrap")
def rewrap() -> None:
    """Until no block is left under a version that was rotated away."""
    rewrapping.finish(WORKER)


@every(5, "keys.remove")
def remove() -> None:
    """What was destroyed on record leaves its store."""
    removing.finish(WORKER)


@every(5, "keys.fields")
def reseal_fields() -> None:
    """Until no stored envelope is under a version of the field key that was rotated away."""
    field_keys.finish(WORKER)


@every(59, "keys.note")
def take_note() -> None:
    """A field key or a signature key that was made since is put on record."""
    with transaction.atomic():
        platform_keys.take_note(WORKER)
