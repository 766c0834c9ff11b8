"""Which cards stand under a version of a key: those made one by one, and those of whole batches."""

from django.db.models import Q

from xueka.contexts.cards import api as cards
from xueka.contexts.keys import api as keys
from xueka.platform.identity.scope import Scope


def exposed(scope: Scope, version: keys.KeyVersion) -> keys.Exposure:
    """The cards made with this version: what its leak would cost."""
    used_for = keys.subjects(scope, version)
    made = Q(number__in=used_for) | Q(batch_item__batch__number__in=used_for)
    return keys.exposure(cards.card_rows(scope).filter(made))
