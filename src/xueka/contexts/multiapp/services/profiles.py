"""Taking the directories over from the card profiles in force."""

import tomllib
from functools import cache
from importlib.resources import files

from xueka.contexts.multiapp.models import Area
from xueka.contexts.multiapp.services.areas import Directory, set_areas
from xueka.contexts.personalization import api as personalization
from xueka.platform.identity.actor import Actor


def adopt_profiles(actor: Actor) -> int:
    """Make the areas of every card kind those of its profile in force; returns how many differ from before.

    Raises Conflict `AREA_IN_USE` where a profile moves what is granted; then nothing has changed.
    """
    actor.require("city:unit:manage")
    changed = 0
    for found in personalization.profiles(actor.scope).filter(state="in_force").order_by("code"):
        source = f"{found.code} {found.version}"
        listed = _directories(personalization.parse(found.text))
        for kind in found.kinds:
            changed += set_areas(actor, kind, listed, source)
    return changed


def profiles_waiting(actor: Actor) -> bool:
    """Whether a profile is in force whose directories are not adopted yet."""
    known = set(Area.objects.filter(in_profile=True).values_list("kind_id", "source"))
    rows = personalization.profiles(actor.scope).filter(state="in_force")
    return any((kind, f"{found.code} {found.version}") not in known for found in rows for kind in found.kinds)


def _directories(profile: personalization.Profile) -> list[Directory]:
    told = _owners()
    return [
        Directory(
            each.code,
            each.title,
            each.name,
            each.id,
            each.space,
            told["owners"].get(each.code, "") if each.shell else told["city"]["owner"],
            {"create": each.create, "erase": each.erase},
        )
        for each in profile.applications
    ]


@cache
def _owners() -> dict[str, dict[str, str]]:
    text = files("xueka.contexts.multiapp").joinpath("data/owners.toml").read_text("utf-8")
    return tomllib.loads(text)
