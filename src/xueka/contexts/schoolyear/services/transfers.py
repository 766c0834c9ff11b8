"""A transfer and the card of the student: it goes along, and its exchange is prepared."""

from xueka.contexts.cards import api as cards
from xueka.contexts.registry import api as registry
from xueka.platform.identity.actor import Actor

_WORKER = Actor.system("transfers")


def confirm_transfer(
    actor: Actor, transfer_id: int, side: str, class_id: int | None = None
) -> tuple[registry.Transfer, list[str]]:
    """Confirm one side; with the second the student moves, and drafts for a card with the new school are
    opened. Returns the transfer and the numbers of the drafts. Raises as `registry.confirm_transfer`.
    """
    transfer = registry.confirm_transfer(actor, transfer_id, side, class_id)
    return transfer, _prepare(transfer)


def ask_transfer(
    actor: Actor, education_id: str, name: str, to_school: str, reason: str, class_id: int | None = None
) -> registry.Transfer:
    """As `registry.ask_transfer`; where the schools need not confirm, the card is seen to at once."""
    transfer = registry.ask_transfer(actor, education_id, name, to_school, reason, class_id)
    _prepare(transfer)
    return transfer


def _prepare(transfer: registry.Transfer) -> list[str]:
    if transfer.state != "closed":
        return []
    opened = {kind.code for kind in cards.kinds()}
    numbers = []
    for kind in sorted({card.kind_id for card in cards.live_cards_of([transfer.student_id])} & opened):
        made = cards.create_applications(_WORKER, [transfer.student_id], kind, "transfer")
        numbers += [each.number for each in cards.applications_by_id(_WORKER.scope, made.done)]
    return numbers
