"""A demo city's profile: loaded, submitted and approved by two invented people, in force."""

from xueka.contexts.personalization.domain import transitions as t
from xueka.contexts.personalization.models import CardProfile
from xueka.contexts.personalization.services.loading import sync_profiles
from xueka.contexts.personalization.services.reviewing import PROFILES, approve, put_in_force, submit
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

#: user name → name, for pages that show who did what.
PEOPLE = {"demo.profile1": "演示结构维护", "demo.profile2": "演示结构复核"}


def put_demo_profiles_in_force() -> int:
    """Of every profile that has none in force the last version for cards in the field: of the algorithm of
    its first one; returns how many came into force.
    """
    one, two = (Actor.in_role(*each, "city_operator", Scope("city")) for each in PEOPLE.items())
    sync_profiles(one)
    done = 0
    for code in CardProfile.objects.order_by("code").values_list("code", flat=True).distinct():
        if CardProfile.objects.filter(code=code).exclude(state=t.DRAFT).exists():
            continue
        versions = list(CardProfile.objects.filter(code=code).order_by("id"))
        chosen = [each for each in versions if each.algorithm == versions[0].algorithm][-1]
        submit(one, PROFILES, chosen.pk)
        approve(two, PROFILES, chosen.pk)
        put_in_force(one, PROFILES, chosen.pk)
        done += 1
    return done
