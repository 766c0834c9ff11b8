"""The directories of a chip that can be granted, taken over from the card profile in use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from xueka.contexts.cards import api as cards
from xueka.contexts.multiapp.domain.transitions import HOLDING
from xueka.contexts.multiapp.models import Area
from xueka.kernel.errors import Conflict
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor


@dataclass(frozen=True, slots=True)
class Directory:
    """One directory of a profile. `owner` is empty for a shell: it waits to be granted."""

    code: str
    title: str
    aid: str
    fid: str
    size: int
    owner: str = ""
    conditions: Mapping[str, str] = field(default_factory=dict)


def set_areas(actor: Actor, kind: str, directories: Sequence[Directory], source: str) -> int:
    """Make the areas of a card kind those of `directories`; returns how many differ from before.

    What is granted stays as it was: a profile that moves or shrinks a directory in use is refused (Conflict
    `AREA_IN_USE`), because cards in the field carry it. One that is gone from the profile is kept, marked.
    """
    actor.require("city:unit:manage")
    its = cards.kind(kind)
    known = {area.code: area for area in Area.objects.select_for_update().filter(kind=its)}
    changed = 0
    for each in directories:
        wanted = {
            "title": each.title,
            "aid": each.aid.lower(),
            "fid": each.fid.lower(),
            "size": each.size,
            "is_shell": not each.owner,
            "owner": each.owner,
            "conditions": dict(each.conditions),
            "source": source,
            "in_profile": True,
        }
        area = known.pop(each.code, None)
        if area is None:
            Area.objects.create(kind=its, code=each.code, **wanted)
            changed += 1
            continue
        differs = {name for name, value in wanted.items() if getattr(area, name) != value}
        if differs & {"aid", "fid", "is_shell"} or each.size < area.size:
            _check_free(area, each)
        if differs:
            Area.objects.filter(id=area.id).update(**wanted)
            changed += bool(differs - {"source"})
    for area in known.values():
        changed += area.in_profile
        Area.objects.filter(id=area.id).update(in_profile=False)
    if changed:
        record(actor, "area.set", "card_kind", kind, detail={"count": changed, "file": source})
    return changed


def _check_free(area: Area, wanted: Directory) -> None:
    holding = [grant.number for grant in area.grants.filter(state__in=HOLDING)]
    if holding:
        raise Conflict(
            "AREA_IN_USE",
            f"目录“{area.title}”已授权使用，不能改动。",
            where=area.code,
            found=f"{wanted.aid} {wanted.fid} {wanted.size} 字节",
            expected=f"{area.aid} {area.fid} 至少 {area.size} 字节（{'、'.join(holding)}）",
            action="请在卡结构中另设目录。",
        )
