"""A card's last steps at a counter whose printer always works."""

from xueka.contexts.cards import api as cards
from xueka.contexts.personalization import api as personalization
from xueka.contexts.printing import api as printing
from xueka.platform.identity.actor import Actor

PRESS = "a-press"  # the agent of that printer


def finish(actor: Actor, card_id: int) -> cards.Card:
    """Its chip is written: the face is printed and checked, and it may be given."""
    printer = printing.printers(actor.scope).filter(agent=PRESS).first()
    if printer is None:
        printer = printing.register_printer(actor, "从不卡住的打印机", PRESS, "证卡")
    job = personalization.print_face(actor, card_id, printer.pk)
    work = printing.next_job(PRESS)
    assert work is not None and work.job == job.pk
    printing.report(PRESS, job.pk, "printed")
    return personalization.finish(actor, card_id)
