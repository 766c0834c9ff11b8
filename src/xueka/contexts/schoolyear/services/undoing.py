"""Taking one piece back: exactly what it changed, item by item, where life has not moved on since."""

from datetime import date

from django.db import transaction

from xueka.contexts.cards import api as cards
from xueka.contexts.registry import api as registry
from xueka.contexts.schoolyear.domain.rules import LEAVERS
from xueka.contexts.schoolyear.models import Move, Piece, Thing
from xueka.contexts.schoolyear.services import exchanging
from xueka.contexts.schoolyear.services.running import move_back, outcome_counts
from xueka.kernel.errors import XuekaError
from xueka.platform.audit.services import record
from xueka.platform.identity import services as identity
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import lock_users
from xueka.platform.identity.models import Grant


def undo_piece(actor: Actor, piece: Piece) -> None:
    """Restore what can be restored; the rest is `kept` with its reason. The piece is locked by the caller."""
    _schools(actor, piece)
    _exchanges(actor, piece)
    _cards(actor, piece)
    _grants(actor, piece)
    move_back(actor, piece)
    if piece.kind == LEAVERS:
        back = Move.objects.filter(piece=piece, outcome="undone").values_list("student_id", flat=True)
        registry.unmark_left(actor, list(back))
    _classes(actor, piece)
    piece.things.filter(thing="application", outcome="done").update(outcome="kept", note="closed_application")
    counts = outcome_counts(piece)
    piece.undone, piece.kept, piece.done = counts.get("undone", 0), counts.get("kept", 0), 0
    piece.state, piece.tried_back, piece.error = "undone", True, ""
    piece.save()
    record(
        actor,
        "year.take_back",
        "school",
        piece.school.code,
        detail={"job": piece.job.number, "undone": piece.undone, "kept": piece.kept},
    )


def _schools(actor: Actor, piece: Piece) -> None:
    for thing in piece.things.filter(thing="school_closed", outcome="done"):
        registry.reopen_school(actor, thing.object_id)
        _mark(thing, "undone")
    for thing in piece.things.filter(thing="school_name", outcome="done"):
        school = registry.school(actor.scope, thing.object_id)
        if school.name != thing.after["name"]:
            _mark(thing, "kept", "renamed_again")
            continue
        registry.rename_school(actor, thing.object_id, thing.before["name"])
        _mark(thing, "undone")


def _exchanges(actor: Actor, piece: Piece) -> None:
    things = list(piece.things.filter(thing__startswith="exchange", outcome="done"))
    if things:
        exchanging.withdraw_exchanges(actor, things)


def _cards(actor: Actor, piece: Piece) -> None:
    """Limits are lifted; cancellations still to come are dropped; those carried out stay."""
    piece.things.filter(thing="card_cancel", outcome="planned").update(outcome="undone")
    piece.things.filter(thing="card_cancel", outcome="done").update(outcome="kept", note="carried_out")
    limited = {one.object_id: one for one in piece.things.filter(thing="card_limit", outcome="done")}
    if not limited:
        return
    present = {card.id: card for card in cards.card_rows(actor.scope).filter(id__in=list(limited))}
    back: dict[int, date | None] = {}
    for id_, thing in limited.items():
        card = present.get(id_)  # none where a take-over was taken back
        if card and card.state in cards.LIVE and card.valid_until == date.fromisoformat(thing.after["on"]):
            until = thing.before["valid_until"]
            back[id_] = date.fromisoformat(until) if until else None
            thing.outcome = "undone"
        else:
            thing.outcome, thing.note = "kept", "moved_on"
    if back:
        cards.limit_validity(actor, back, "学年作业撤回")
    Thing.objects.bulk_update(limited.values(), ["outcome", "note"], batch_size=1000)


def _grants(actor: Actor, piece: Piece) -> None:
    why = f"作业 {piece.job.number} 撤回"
    things = list(piece.things.filter(thing="grant", outcome="done").order_by("id"))
    former = Grant.objects.select_related("user").in_bulk([thing.before["grant"] for thing in things])
    lock_users(grant.user_id for grant in former.values())
    back: dict[int, Grant] = {}
    for thing in things:
        grant = former[thing.before["grant"]]
        try:
            with transaction.atomic():
                if given := thing.after.get("grant"):
                    identity.revoke(actor, grant.user.username, given, why)
                again = identity.open_again(
                    actor, grant, grant.scope, stands_in_for=back.get(grant.stands_in_for_id or 0), reason=why
                )
        except XuekaError:  # the officer has another duty meanwhile, or the role was revoked already
            again = None
        if again is None:
            _mark(thing, "kept", "moved_on")
        else:
            back[grant.id] = again
            _mark(thing, "undone")


def _classes(actor: Actor, piece: Piece) -> None:
    """Classes that were made stay where anybody is or was in them: history may point at them."""
    for thing in piece.things.filter(thing__in=["class", "new_class"], outcome="done"):
        class_id = thing.after.get("class", thing.object_id)
        if registry.remove_empty_classes(actor, [class_id]):
            _mark(thing, "undone")
        else:
            _mark(thing, "kept", "class_in_use")


def _mark(thing: Thing, outcome: str, note: str = "") -> None:
    thing.outcome, thing.note = outcome, note
    thing.save(update_fields=["outcome", "note"])
