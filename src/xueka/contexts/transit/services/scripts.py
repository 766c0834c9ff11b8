"""Scripts of the transit company: announced, kept as drafts by personalization, their results reported.

Checking, putting in force and running them is personalization's (docs/interfaces/card-profile.md).
"""

import hashlib
from datetime import datetime, timedelta

from django.db.models import Exists, Max, Min, OuterRef, Q

from xueka.contexts.cards import api as cards
from xueka.contexts.personalization import api as personalization
from xueka.contexts.transit.domain import reading
from xueka.contexts.transit.models import Follower, ScriptNotice, ScriptReport
from xueka.contexts.transit.services.common import CODE, partner
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.platform.exchange.applying import Message
from xueka.platform.exchange.services import Letter, post_many
from xueka.platform.identity.actor import Actor

AT_ONCE = 500
UNSURE = "UPGRADE_UNSURE"
#: No transaction lasts as long.
LATE = timedelta(days=1)


def hear_script(actor: Actor, message: Message) -> None:
    """`script.announced`: byte for byte as the digest says, loaded as a draft that two people review."""
    told = reading.members(message.data)
    text = reading.text(told, "text", 60_000)
    content, digest = text.encode(), reading.text(told, "sha256", 64)
    if hashlib.sha256(content).hexdigest() != digest:
        raise Refused("SCRIPT_DIGEST", "脚本与摘要不符。", where="sha256", found=digest[:16])
    script = personalization.load_script(actor, content)
    _, new = ScriptNotice.objects.get_or_create(
        code=script.code, version=script.version, defaults={"sha256": digest, "heard_at": clock.now()}
    )
    if new:  # it may be known here, and have run, for long
        Follower.objects.filter(id=1).update(reported_up_to=0)


def report_results(actor: Actor) -> int:
    """Tell the company what became of its scripts on cards in the field; each run once."""
    if partner() is None:
        return 0
    follower = Follower.objects.select_for_update().filter(id=1).first()
    after, now = follower.reported_up_to if follower else 0, clock.now()
    known = ScriptNotice.objects.filter(code=OuterRef("script__code"), version=OuterRef("script__version"))
    reported = ScriptReport.objects.filter(upgrade_id=OuterRef("id"))
    rows = (
        personalization.Upgrade.objects.filter(Exists(known), ~Exists(reported), state__in=["done", "failed"])
        .filter(id__gt=after)
        .select_related("card", "script", "session")
        .order_by("id")[:AT_ONCE]
    )
    found, letters = list(rows), []
    for each in found:
        result = "unsure" if each.state == "failed" and each.session.code == UNSURE else each.state
        ScriptReport.objects.create(upgrade_id=each.id, card_id=each.card_id, result=result, at=now)
        letters.append(_letter(each, each.card, result))
    if follower:
        _move(follower, found[-1].id if len(found) == AT_ONCE else None, now)
    return post_many(CODE, letters)


def _move(follower: Follower, done_to: int | None, now: datetime) -> None:
    """On to where a run has not ended, or may still be written by a transaction that began before us."""
    runs = personalization.Upgrade.objects.filter(id__gt=follower.reported_up_to)
    runs = runs if done_to is None else runs.filter(id__lte=done_to)
    waits = Q(state="running") | Q(at__gt=now - LATE)
    place = runs.aggregate(last=Max("id"), first=Min("id", filter=waits))
    to = place["last"] if place["first"] is None else place["first"] - 1
    if to and to > follower.reported_up_to:
        Follower.objects.filter(pk=follower.pk).update(reported_up_to=to)


def _letter(found: personalization.Upgrade, card: cards.Card, result: str) -> Letter:
    content = {
        "card": card.number,
        "transit_number": card.transit_number,
        "script": found.script.code,
        "version": found.script.version,
        "result": result,
        "at": clock.local(found.at).isoformat(timespec="seconds"),
    }
    return Letter(f"card:{card.number}", "script.reported", content, f"upgrade:{found.id}")
