"""How long contents are kept: a message that ended some time ago stays, its content does not."""

from datetime import timedelta

from django.conf import settings
from django.db import connection

from xueka.kernel import clock

PIECE = 2_000


def empty_old() -> int:
    """Empty the contents of some messages that ended longer ago than they are kept; returns how many.

    What waits, or is a dead letter, is never emptied.
    """
    before = clock.now() - timedelta(days=settings.EXCHANGE_KEPT_DAYS)
    emptied = 0
    with connection.cursor() as cursor:
        for statement in (_OUT, _IN):
            cursor.execute(statement, [before, PIECE])
            emptied += cursor.rowcount
    return emptied


_OUT = """
    UPDATE exchange_outgoing SET envelope = '' WHERE id IN (
        SELECT id FROM exchange_outgoing
         WHERE state = 'delivered' AND ended_at < %s AND envelope <> ''
         LIMIT %s FOR UPDATE SKIP LOCKED)"""
_IN = """
    UPDATE exchange_incoming SET raw = '' WHERE id IN (
        SELECT id FROM exchange_incoming
         WHERE state IN ('applied', 'passed') AND ended_at < %s AND raw <> ''
         LIMIT %s FOR UPDATE SKIP LOCKED)"""
