"""What the services share: fetching under a scope and a lock, the promise, telling the family."""

from xueka.contexts.families import api as families
from xueka.contexts.payments import api as payments
from xueka.contexts.replacements.domain.rules import REASONS, promise
from xueka.contexts.replacements.domain.transitions import REPLACEMENT
from xueka.contexts.replacements.models import Replacement
from xueka.kernel import clock
from xueka.kernel.calendar import Calendar
from xueka.kernel.errors import NotFound
from xueka.kernel.masking import mask_name
from xueka.kernel.money import format_yuan
from xueka.platform.history import queries as history
from xueka.platform.identity.actor import Actor
from xueka.platform.messages.services import send

#: Who does what follows from the money and from the card.
WORKER = Actor.system("replacements")

#: Locks are taken in one order everywhere: replacement, order, application, card.


def locked(actor: Actor, replacement_id: int) -> Replacement:
    """The replacement, locked; NotFound `REPLACEMENT_NOT_FOUND` where it is not there for this actor."""
    visible = Replacement.objects.visible_to(actor.scope).select_related("student", "kind", "old_card")
    found = visible.select_for_update(of=("self",)).filter(id=replacement_id).first()
    if found is None:
        raise NotFound("REPLACEMENT_NOT_FOUND", "没有这份补卡换卡。")
    return found


def change(replacement: Replacement, **values: object) -> None:
    """Write columns beside the state."""
    for name, value in values.items():
        setattr(replacement, name, value)
    replacement.save(update_fields=list(values))


def make_promise(replacement: Replacement) -> None:
    """Seven working days from the day of `started_at`."""
    assert replacement.started_at is not None
    made = promise(clock.local(replacement.started_at).date(), Calendar.default())
    change(replacement, promised_on=made.day, is_provisional=made.provisional)


def tell(replacement: Replacement, template: str, **values: str) -> None:
    """A message to every phone that stands for the child; once for each occasion, which is the step that the
    replacement is at: a second parcel is told of as the first one was.
    """
    step = len(history.timeline({REPLACEMENT.name: [replacement.id]}))
    known = {
        "child": mask_name(replacement.student.name),
        "what": REASONS[replacement.reason][0],
        "number": replacement.number,
        **values,
    }
    for place, phone in enumerate(families.phones_of(replacement.student)):
        send(phone, template, known, f"{key_begins(template, replacement.id)}{step}.{place}")


def key_begins(template: str, replacement_id: int) -> str:
    """How the keys begin of the messages of one replacement."""
    return f"{template}.{replacement_id}."


def money_words(replacement: Replacement) -> str:
    """What becomes of what was paid, by the ways that it goes back; empty where nothing does."""
    if not replacement.fee_fen or replacement.order is None:
        return ""
    back = [each for each in payments.refunds_of(replacement.order) if each.source == "income"]
    back = [each for each in back if each.state != "failed"]
    by_treasury = sum(each.amount_fen for each in back if each.way == payments.PAYBACK_WAY)
    paid = f"已缴的{format_yuan(replacement.fee_fen)}"
    if not by_treasury:
        return f"{paid}原路退回。"
    if by_treasury == replacement.fee_fen:
        return f"{paid}由国库退付。"
    return f"{paid}退回，其中{format_yuan(by_treasury)}由国库退付。"
