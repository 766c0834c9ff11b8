"""The question that is answered at once: validity of one card (docs/interfaces/transit.md §3.2)."""

import secrets
from dataclasses import replace

from xueka.contexts.transit.domain import validity
from xueka.contexts.transit.models import ANSWERED, SILENT, UNKNOWN, UNUSABLE
from xueka.kernel.errors import BadInput
from xueka.platform import outward
from xueka.platform.exchange.counterparts import Counterpart
from xueka.platform.exchange.wire import calling


def ask(
    partner: Counterpart, card: str, transit_number: str, deadline: float
) -> tuple[str, validity.Heard | None, int]:
    """How it ended, what was said, milliseconds; `deadline` is that of the whole answer, and sooner inside
    another. Nothing is raised for what the counterpart does.
    """
    patient = replace(partner, limits=replace(partner.limits, timeout=min(partner.limits.timeout, deadline)))
    question = {"card": card, "transit_number": transit_number}
    with outward.within(deadline), calling(patient) as caller:
        said, answer = caller.ask("/look-up/validity", f"ask_{secrets.token_hex(12)}", question)
    if said.status == 404 and said.text.startswith("CARD_UNKNOWN"):
        return UNKNOWN, None, said.ms
    if not said.accepted:
        return (UNUSABLE if 200 <= said.status < 300 else SILENT), None, said.ms
    try:
        heard = validity.read(answer)
    except BadInput:
        return UNUSABLE, None, said.ms
    if (heard.card, heard.transit_number) != (card, transit_number):
        return UNUSABLE, None, said.ms
    return ANSWERED, heard, said.ms
