"""Sweeps of what partners have: the hot-list, terms of grants and credentials, sums of calls. Each opens its
transactions itself.
"""

from datetime import timedelta

from django.db import transaction

from xueka.contexts.multiapp.models import HotList
from xueka.contexts.multiapp.services import calling, credentials, granting, hot_list, profiles
from xueka.kernel import clock
from xueka.platform.identity.actor import Actor
from xueka.platform.jobs.sweeps import every

WORKER = Actor.system("worker")
COMPARE_EVERY = timedelta(hours=12)


@every(3, "multiapp.hot_list")
def follow_cards() -> None:
    """Bring the hot-list up to date; now and then compare the whole of it."""
    with transaction.atomic():
        hot_list.follow()
    head = HotList.objects.filter(id=1).first()
    if head and head.compared_at and clock.now() - head.compared_at > COMPARE_EVERY:
        with transaction.atomic():
            hot_list.compare()


@every(59, "multiapp.terms")
def keep_terms() -> None:
    """What begins today begins, what is over ends."""
    with transaction.atomic():
        granting.keep_terms(WORKER)
    with transaction.atomic():
        credentials.end_credentials(WORKER)


@every(58, "multiapp.areas")
def adopt_profiles() -> None:
    """A card profile that came into force brings its directories."""
    with transaction.atomic():
        if profiles.profiles_waiting(WORKER):
            profiles.adopt_profiles(WORKER)


@every(57, "multiapp.calls")
def sum_up_calls() -> None:
    with transaction.atomic():
        calling.sum_up(WORKER)
    with transaction.atomic():
        calling.forget(WORKER)
