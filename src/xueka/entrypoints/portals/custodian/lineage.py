"""Which cards stand under a version of a key: written at a counter one by one, and in whole batches."""

from django.db.models import Q

from xueka.contexts.cards import api as cards
from xueka.contexts.keys import api as keys
from xueka.contexts.personalization import api as personalization
from xueka.platform.identity.scope import Scope


def exposed(scope: Scope, version: keys.KeyVersion) -> keys.Exposure:
    """The cards made with this version or with one that it opens: what its leak would cost."""
    opened = [version, *keys.below(scope, version)]
    used_for = keys.subjects(scope, opened)
    wanted = [(each.key.label, each.number) for each in opened]
    written = personalization.made_by(*wanted).order_by().values("card")
    made = Q(id__in=written) | Q(number__in=used_for) | Q(batch_item__batch__number__in=used_for)
    return keys.exposure(cards.card_rows(scope).filter(made))
