"""The sweep of the cards: photos that nobody used are deleted when their days are over."""

from django.db import transaction

from xueka.contexts.cards.services.photo_uploads import purge_unused
from xueka.platform.jobs.sweeps import every


@every(59, "cards.unused_photos")
def delete_unused_photos() -> None:
    with transaction.atomic():
        purge_unused()
