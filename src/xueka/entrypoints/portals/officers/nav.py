"""Looks of the hand-over; the pages hang in the navigation of each role's own portal."""

from xueka.contexts.officers import api as officers
from xueka.entrypoints.design import states

states.register(officers.HAND_OVER, {"asked": "wait", "agreed": "ok", "cancelled": "ended"})
