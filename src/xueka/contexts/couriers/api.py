"""Couriers: parcels, waybills, tracking, custody, problem parcels. The only door into this context."""

from xueka.contexts.couriers.calling import call, has_account, labels, take_push
from xueka.contexts.couriers.domain.rules import COURIERS, HAND, HOLDERS, INTERCEPTS, KINDS, PROBLEMS
from xueka.contexts.couriers.domain.sf import digest as sf_digest
from xueka.contexts.couriers.domain.status import STATUSES
from xueka.contexts.couriers.domain.transitions import FOLLOWED, OPEN, SEND, SHIPMENT, WORK
from xueka.contexts.couriers.invariants import INVARIANTS
from xueka.contexts.couriers.jobs import sweep, watch
from xueka.contexts.couriers.models import Custody, Problem, Shipment
from xueka.contexts.couriers.queries import (
    Held,
    Score,
    Step,
    custody,
    events,
    found,
    held,
    of_card,
    of_delivery,
    of_replacement,
    open_problems,
    problems,
    rows,
    scorecard,
    shipment,
    told_of_card,
    way,
)
from xueka.contexts.couriers.services.ordering import (
    ask_home,
    ask_school,
    cancel,
    dispatch_by_hand,
    hand_over,
    open_for_delivery,
    open_for_replacement,
    post_by_hand,
)
from xueka.contexts.couriers.services.problems import ask_intercept, close, lose

__all__ = [
    "COURIERS",
    "FOLLOWED",
    "HAND",
    "HOLDERS",
    "INTERCEPTS",
    "INVARIANTS",
    "KINDS",
    "OPEN",
    "PROBLEMS",
    "SEND",
    "SHIPMENT",
    "STATUSES",
    "WORK",
    "Custody",
    "Held",
    "Problem",
    "Score",
    "Shipment",
    "Step",
    "ask_home",
    "ask_intercept",
    "ask_school",
    "call",
    "cancel",
    "close",
    "custody",
    "dispatch_by_hand",
    "events",
    "found",
    "hand_over",
    "has_account",
    "held",
    "labels",
    "lose",
    "of_card",
    "of_delivery",
    "of_replacement",
    "open_for_delivery",
    "open_for_replacement",
    "open_problems",
    "post_by_hand",
    "problems",
    "rows",
    "scorecard",
    "sf_digest",
    "shipment",
    "sweep",
    "take_push",
    "told_of_card",
    "watch",
    "way",
]
