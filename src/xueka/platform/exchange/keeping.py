"""How long contents are kept: a message that ended some time ago stays, its content does not."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models import Exists, OuterRef

from xueka.kernel import clock
from xueka.platform.exchange.models import DEAD, DELIVERED, WAITING, Incoming, IncomingFile, Outgoing
from xueka.platform.files import services as files

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
    return emptied + _empty_files(before)


def _empty_files(before: datetime) -> int:
    """The large contents. What came stays while anything of its counterpart waits: it may name the file."""
    out = Outgoing.objects.filter(state=DELIVERED, ended_at__lt=before, file__isnull=False)
    gone = [each.file for each in out.select_for_update(of=("self",)).select_related("file")[:PIECE]]
    Outgoing.objects.filter(file__in=gone).update(file=None)
    waiting = Incoming.objects.filter(state__in=(WAITING, DEAD), counterpart=OuterRef("counterpart"))
    recent = Incoming.objects.filter(file=OuterRef("file"), ended_at__gte=before)
    came = IncomingFile.objects.filter(~Exists(waiting), ~Exists(recent), received_at__lt=before)
    old = list(came.select_for_update(of=("self",)).select_related("file")[:PIECE])
    Incoming.objects.filter(file__in=[each.file_id for each in old]).update(file=None)
    for each in old:
        gone.append(each.file)
        each.delete()
    for file in gone:
        if file is not None:
            files.remove(file)
    return len(gone)


_OUT = """
    UPDATE exchange_outgoing SET envelope = '' WHERE id IN (
        SELECT id FROM exchange_outgoing
         WHERE state = 'delivered' AND ended_at < %s AND envelope <> ''
         ORDER BY ended_at LIMIT %s FOR UPDATE SKIP LOCKED)"""
_IN = """
    UPDATE exchange_incoming SET raw = '' WHERE id IN (
        SELECT id FROM exchange_incoming
         WHERE state IN ('applied', 'passed') AND ended_at < %s AND raw <> ''
         ORDER BY ended_at LIMIT %s FOR UPDATE SKIP LOCKED)"""
