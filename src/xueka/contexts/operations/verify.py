"""`xueka verify`: every invariant of every context, and the audit chain, on the present database."""

from collections.abc import Iterable

from xueka.contexts.cards import api as cards
from xueka.contexts.closing import api as closing
from xueka.contexts.coordination import api as coordination
from xueka.contexts.couriers import api as couriers
from xueka.contexts.families import api as families
from xueka.contexts.interop import api as interop
from xueka.contexts.keys import api as keys
from xueka.contexts.ledger import api as ledger
from xueka.contexts.logistics import api as logistics
from xueka.contexts.multiapp import api as multiapp
from xueka.contexts.numbers import api as numbers
from xueka.contexts.officers import api as officers
from xueka.contexts.payments import api as payments
from xueka.contexts.personalization import api as personalization
from xueka.contexts.printing import api as printing
from xueka.contexts.production import api as production
from xueka.contexts.receipts import api as receipts
from xueka.contexts.registry import api as registry
from xueka.contexts.repairs import api as repairs
from xueka.contexts.replacements import api as replacements
from xueka.contexts.reporting import api as reporting
from xueka.contexts.schoolyear import api as schoolyear
from xueka.contexts.takeover import api as takeover
from xueka.contexts.transit import api as transit
from xueka.contexts.treasury import api as treasury
from xueka.contexts.welfare import api as welfare
from xueka.platform.audit.invariants import audit_chain
from xueka.platform.exchange import invariants as exchange
from xueka.platform.identity import invariants as identity
from xueka.platform.invariants import Invariant, InvariantResult, check
from xueka.platform.mail import invariants as mail
from xueka.platform.messages import invariants as messages

INVARIANTS: list[Invariant] = [
    *registry.INVARIANTS,
    *numbers.INVARIANTS,
    *cards.INVARIANTS,
    *keys.INVARIANTS,
    keys.sealed_rows(),
    *printing.INVARIANTS,
    *personalization.INVARIANTS,
    *production.INVARIANTS,
    *logistics.INVARIANTS,
    *families.INVARIANTS,
    *replacements.INVARIANTS,
    *couriers.INVARIANTS,
    *reporting.INVARIANTS,
    *schoolyear.INVARIANTS,
    *takeover.INVARIANTS,
    *treasury.INVARIANTS,
    *closing.INVARIANTS,
    *identity.INVARIANTS,
    *mail.INVARIANTS,
    *messages.INVARIANTS,
    *exchange.INVARIANTS,
    *interop.INVARIANTS,
    *transit.INVARIANTS,
    *welfare.INVARIANTS,
    *coordination.INVARIANTS,
    *officers.INVARIANTS,
    *repairs.INVARIANTS,
    *multiapp.INVARIANTS,
    *ledger.INVARIANTS,
    *payments.INVARIANTS,
    *receipts.INVARIANTS,
]


def verify(names: Iterable[str] = ()) -> list[InvariantResult]:
    """Check all invariants, or those named. One that checked nothing says so with `checked` 0."""
    wanted = set(names)
    results = [check(invariant) for invariant in INVARIANTS if not wanted or invariant.name in wanted]
    if not wanted or "audit_chain_unbroken" in wanted:
        results.append(audit_chain())
    return results
