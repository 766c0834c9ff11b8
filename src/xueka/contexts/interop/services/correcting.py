"""A citizen's data as Beijing-Tong has them: a repair that two people see, then an exchange of the card.

Nothing of the registry changes by a message alone. The message proposes a repair; a person of the city
approves it; then the draft of an exchange waits at the school (docs/adr/0265).
"""

from django.db import transaction

from xueka.contexts.cards import api as cards
from xueka.contexts.interop.models import DROPPED, NO_EXCHANGE, OPENED, UNDONE, WAITING, Correction
from xueka.contexts.interop.services.tong_cards import card_told, open_exchange
from xueka.contexts.repairs import api as repairs
from xueka.kernel import clock
from xueka.kernel.contents import Content
from xueka.kernel.errors import BadInput
from xueka.platform.exchange.applying import Message
from xueka.platform.identity.actor import Actor

_WORKER = Actor.system("worker")
_AT_ONCE = 200


def citizen_corrected(actor: Actor, message: Message) -> None:
    """`citizen.corrected`: what differs is proposed; what we have already is nothing new.

    A proposal of an earlier message that nobody has decided gives way to this one. Raises BadInput
    `CONTENT_WRONG`, and what `card_told` says.
    """
    told = Content(message.data)
    card = card_told(actor, message, told)
    name, sex = told.text("name", 100, optional=True), told.word("sex", "男|女", "男或女", optional=True)
    if not name and not sex:
        raise BadInput("CONTENT_WRONG", "内容里没有要更正的姓名或性别。", expected="name、sex 至少一项")
    document = told.text("document", 100, optional=True)
    for earlier in Correction.objects.filter(card__student=card.student_id, outcome=WAITING):
        if earlier.repair.state == "proposed":
            repairs.withdraw(actor, earlier.repair_id, "对方又发来更正")
    student = card.student
    if (not name or name == student.name) and (not sex or sex == student.sex):
        return
    params = {"student": student.education_id, "name": name, "sex": sex}
    reason = f"北京通更正{f'（{document}）' if document else ''}"
    proposed = repairs.propose(actor, "citizen", params, reason)
    Correction.objects.create(
        message_id=message.message_id,
        card=card,
        repair=proposed,
        document=document,
        received_at=clock.now(),
    )


def settle_corrections() -> int:
    """What became of the repairs: the approved ones open their exchange. Opens its transactions."""
    states = {WAITING: ["applied", "undo_asked", "refused", "withdrawn", "undone"], OPENED: ["undone"]}
    done = 0
    for outcome, of_repair in states.items():
        rows = Correction.objects.filter(outcome=outcome, repair__state__in=of_repair)
        for correction_id in list(rows.order_by("id").values_list("id", flat=True)[:_AT_ONCE]):
            with transaction.atomic():
                done += _settle(correction_id, outcome)
    return done


def _settle(correction_id: int, outcome: str) -> int:
    rows = Correction.objects.select_for_update(of=("self",), skip_locked=True)
    found = rows.select_related("repair", "card").filter(id=correction_id, outcome=outcome).first()
    if found is None:
        return 0
    if found.repair.state in ("refused", "withdrawn"):
        found.outcome = DROPPED
    elif found.repair.state == "undone":
        found.outcome = UNDONE
        _take_back(found)
    else:
        found.exchange_id, found.note = open_exchange(_WORKER, found.card)
        found.outcome = OPENED if found.exchange_id else NO_EXCHANGE
    found.settled_at = clock.now()
    found.save(update_fields=["outcome", "exchange", "note", "settled_at"])
    return 1


def _take_back(found: Correction) -> None:
    """The draft that nobody has sent in goes; what is under way stays the school's affair."""
    if found.exchange_id is None:
        return
    cards.lock_applications(_WORKER, [found.exchange_id])
    [draft] = cards.applications_by_id(_WORKER.scope, [found.exchange_id])
    if draft.state == "draft":
        cards.withdraw(_WORKER, [draft.id], "更正已还原")
