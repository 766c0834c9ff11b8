"""A destroyed key leaves its store: what is to go is on record before, and that it is gone afterwards.

A store knows no transactions: what it forgot while a record was being written, it had forgotten also when the
record was taken back. So the decision is committed first. What is left to do is what the rows say, removing
twice is as good as once, and it may be killed anywhere.
"""

from django.db import transaction

from xueka.contexts.keys.models import KeyVersion, Removal
from xueka.contexts.keys.ports import StoredKey
from xueka.contexts.keys.services import stores
from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor


def intend(version: KeyVersion) -> None:
    """Remember what a store has of a version that is destroyed. A block outside goes with its record."""
    if version.handle:
        Removal.objects.create(
            version=version, store=version.store, handle=version.handle, asked_at=clock.now()
        )


def finish(actor: Actor) -> int:
    """Take out of the stores whatever is to go, each on record in a transaction of its own; how many it were.

    A store that cannot be reached now keeps its own waiting, and no others.
    """
    done = 0
    for each in open_removals():
        try:
            stores.named(each.store).destroy(StoredKey(each.store, each.handle, b"", each.version.kcv))
        except XuekaError:
            continue
        with transaction.atomic():
            done += _note(actor, each)
    return done


def open_removals() -> list[Removal]:
    return list(Removal.objects.filter(done_at=None).select_related("version__key").order_by("id"))


def _note(actor: Actor, removal: Removal) -> int:
    """Two at once remove twice, and say it once."""
    noted = Removal.objects.filter(pk=removal.pk, done_at=None).update(done_at=clock.now())
    if noted:
        version = removal.version
        detail = {"version": version.number, "kcv": version.kcv, "store": removal.store}
        record(actor, "key.removed", "key", version.key.label, detail=detail)
    return noted
