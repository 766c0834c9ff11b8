"""The sweeps for the transit company. Each opens its transaction; without a company they do nothing."""

from django.db import transaction

from xueka.contexts.transit.services import bindings, following, papers, scripts
from xueka.contexts.transit.services.common import partner
from xueka.platform.identity.actor import Actor
from xueka.platform.jobs.sweeps import every

WORKER = Actor.system("worker")


@every(3, "transit.follow")
def follow_cards() -> None:
    with transaction.atomic():
        following.follow(WORKER)


@every(31, "transit.catch_up")
def catch_up() -> None:
    """Cards of before the company came; bindings that lacked something."""
    with transaction.atomic():
        following.catch_up(WORKER)
    if partner() is not None:
        with transaction.atomic():
            bindings.send_waiting(WORKER)


@every(19, "transit.papers")
def tell_papers() -> None:
    if partner() is not None:
        with transaction.atomic():
            papers.tell_papers(WORKER)


@every(23, "transit.scripts")
def report_scripts() -> None:
    with transaction.atomic():
        scripts.report_results(WORKER)
