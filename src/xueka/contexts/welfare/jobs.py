"""The sweeps for the welfare-card platform. Each opens its transaction; without it they do nothing."""

from django.db import transaction

from xueka.contexts.welfare.services import following
from xueka.platform.jobs.sweeps import every


@every(3, "welfare.follow")
def follow_cards() -> None:
    with transaction.atomic():
        following.follow()


@every(11, "welfare.walk")
def walk_cards() -> None:
    with transaction.atomic():
        following.walk()
