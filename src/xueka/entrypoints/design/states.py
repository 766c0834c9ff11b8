"""How the states of a machine look: each portal's badge for «待区审» is the same everywhere.

`register(MACHINE, {"submitted": "wait", …})` is called once from the `nav` module of a portal that shows the
machine;
a state without a tone is a mistake and raises, so that a new state cannot go undrawn.
"""

from collections.abc import Mapping

from xueka.entrypoints.design.ui import TONES, Badge
from xueka.kernel.machine import Machine

_looks: dict[str, dict[str, Badge]] = {}
_events: dict[str, dict[str, str]] = {}


def register(machine: Machine, tones: Mapping[str, str]) -> None:
    """Tone of every state of `machine`; ValueError when one is missing, unknown, or differs from an earlier
    call.
    """
    if set(tones) != set(machine.state_codes) or not set(tones.values()) <= set(TONES):
        wrong = set(tones) ^ set(machine.state_codes) or set(tones.values()) - set(TONES)
        raise ValueError(f"machine {machine.name}: looks do not fit: {sorted(wrong)}")
    look = {state.code: Badge(state.label, tones[state.code]) for state in machine.states}
    if _looks.setdefault(machine.name, look) != look:
        raise ValueError(f"machine {machine.name}: registered twice with different looks")
    _events[machine.name] = {row.event: row.label for row in machine.transitions}


def badge(machine: str, state: str) -> Badge:
    return _looks[machine][state]


def event_word(machine: str, event: str) -> str | None:
    """What the machine calls an event, such as 「锁定」."""
    return _events.get(machine, {}).get(event)


def events() -> list[str]:
    """Every event of every registered machine as the audit log writes it: `batch.lock`."""
    return [f"{machine}.{event}" for machine, words in _events.items() for event in words]
