"""Cards of graduates and of leavers on the day that was stated: cancelled, unless their student is back."""

from collections import defaultdict

from xueka.contexts.cards import api as cards
from xueka.contexts.registry import api as registry
from xueka.contexts.schoolyear.models import Thing
from xueka.kernel import clock
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor

CHUNK = 500
GRADUATED = "毕业，卡到期注销"


def end_due_cards(actor: Actor, chunk: int = CHUNK) -> int:
    """Settle up to `chunk` cards whose day has come; returns how many. In the caller's transaction."""
    due = list(
        Thing.objects.select_for_update(skip_locked=True)
        .filter(thing="card_cancel", outcome="planned", due_on__lte=clock.today())
        .order_by("due_on", "id")[:chunk]
    )
    if not due:
        return 0
    present = {
        card.id: card for card in cards.card_rows(actor.scope).filter(id__in=[d.object_id for d in due])
    }
    ending: dict[str, list[int]] = defaultdict(list)
    for thing in due:
        card = present.get(thing.object_id)  # none where a take-over was taken back
        if card and card.state in cards.LIVE and card.student.status not in registry.PRESENT:
            ending[thing.after.get("reason") or GRADUATED].append(card.id)
            thing.outcome = "done"
        else:
            thing.outcome, thing.note = "skipped", "moved_on"
    for reason, ids in ending.items():
        cards.cancel_cards(actor, ids, reason)
    Thing.objects.bulk_update(due, ["outcome", "note"], batch_size=1000)
    cancelled = sum(map(len, ending.values()))
    record(actor, "year.end_cards", "card", detail={"cancelled": cancelled, "kept": len(due) - cancelled})
    return len(due)
