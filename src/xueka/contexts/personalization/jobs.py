"""The sweep of abandoned sessions and of used nonces. It is the edge: transactions are opened here."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction

from xueka.contexts.personalization.domain import transitions as t
from xueka.contexts.personalization.models import Nonce, Session
from xueka.contexts.personalization.services.ending import cancel, give_up
from xueka.contexts.personalization.services.handing_out import lose
from xueka.kernel import clock
from xueka.platform.identity.actor import Actor
from xueka.platform.jobs.sweeps import every

WORKER = Actor.system("worker")
#: A run lasts seconds; after this long nobody will report it.
RUN_MINUTES = 10
WAIT_MINUTES = 60
NONCE_MINUTES = 5


@every(30, "personalization.abandoned")
def sweep_abandoned() -> None:
    """What nobody came back to: no card laid down, a run never reported, a card that never returned."""
    for session_id in _old(t.WAITING, timedelta(minutes=WAIT_MINUTES)):
        with transaction.atomic():
            if session := _still(session_id, t.WAITING):
                cancel(WORKER, session, "一小时内没有放卡")
    for state in (t.RUNNING, t.PROBING):
        for session_id in _old(state, timedelta(minutes=RUN_MINUTES)):
            with transaction.atomic():
                if session := _still(session_id, state):
                    lose(WORKER, session)
    for session_id in _old(t.UNKNOWN, timedelta(hours=settings.PERSONALIZATION_UNKNOWN_HOURS)):
        with transaction.atomic():
            if session := _still(session_id, t.UNKNOWN):
                give_up(WORKER, session, "NOT_RETURNED", "原卡没有放回")
    Nonce.objects.filter(at__lt=clock.now() - timedelta(minutes=NONCE_MINUTES)).delete()


def _old(state: str, age: timedelta) -> list[int]:
    found = Session.objects.filter(state=state, state_at__lt=clock.now() - age)
    return list(found.order_by("id").values_list("id", flat=True))


def _still(session_id: int, state: str) -> Session | None:
    rows = Session.objects.select_for_update(of=("self",)).select_related("agent", "profile")
    return rows.filter(pk=session_id, state=state).first()
