"""State machines as tables.

A machine only decides: may this event happen in this state, and which state follows? Applying and remembering
the answer is the work of `xueka.platform.history`. The diagrams and permission tables of the documents are
printed from the same rows, so that they cannot drift.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from xueka.kernel.errors import Refused


@dataclass(frozen=True, slots=True)
class State:
    """`label` is what the screen shows; a `final` state is never left again."""

    code: str
    label: str
    final: bool = False


@dataclass(frozen=True, slots=True)
class Transition:
    """One row: `event` leads from `source` to `target` for whoever holds `permission`.

    `guard` is the further condition in words, as the documents show it; the service that fires the event
    checks it under the same lock, because guards look at more than the state.
    """

    event: str
    source: str
    target: str
    permission: str
    label: str
    guard: str | None = None


class Machine:
    """A checked table of transitions; a table that contradicts itself raises ValueError when it is built."""

    def __init__(
        self,
        name: str,
        label: str,
        initial: str,
        states: Iterable[State],
        transitions: Iterable[Transition],
    ) -> None:
        self.name = name
        self.label = label
        self.initial = initial
        self.states = tuple(states)
        self.transitions = tuple(transitions)
        self._state = {state.code: state for state in self.states}
        self._rows: dict[tuple[str, str], list[Transition]] = {}
        self._events: dict[str, list[Transition]] = {}
        for row in self.transitions:
            self._rows.setdefault((row.event, row.source), []).append(row)
            self._events.setdefault(row.event, []).append(row)
        self._check()

    def __repr__(self) -> str:
        return f"Machine({self.name!r})"

    # --- questions ---

    @property
    def state_codes(self) -> tuple[str, ...]:
        return tuple(self._state)

    @property
    def event_codes(self) -> tuple[str, ...]:
        return tuple(self._events)

    @property
    def choices(self) -> list[tuple[str, str]]:
        """(code, label) of every state, as form and model fields want them."""
        return [(state.code, state.label) for state in self.states]

    def state(self, code: str) -> State:
        try:
            return self._state[code]
        except KeyError:
            raise ValueError(f"{self.name}: unknown state {code!r}") from None

    def event_label(self, event: str) -> str:
        return self._event(event)[0].label

    def targets(self, event: str, source: str) -> tuple[str, ...]:
        """The states to which `event` may lead from `source`; empty when it is not allowed there."""
        self._event(event)
        self.state(source)
        return tuple(row.target for row in self._rows.get((event, source), ()))

    def target(self, event: str, source: str, to: str | None = None) -> str:
        """The state that follows, or Refused `TRANSITION_NOT_ALLOWED`.

        Where the table offers several (say, the next review level or the last), the caller names one with
        `to`.
        An unknown event or state is a mistake in the program and raises ValueError.
        """
        allowed = self.targets(event, source)
        if to is not None:
            self.state(to)
            allowed = tuple(code for code in allowed if code == to)
        if not allowed:
            raise self._refusal(event, source, to)
        if len(allowed) > 1:
            raise ValueError(f"{self.name}: {event!r} from {source!r} may lead to {allowed}; say which")
        return allowed[0]

    def allows(self, event: str, source: str) -> bool:
        return bool(self.targets(event, source))

    def events(self, source: str) -> tuple[str, ...]:
        """What may happen in `source`, in the order of the table."""
        self.state(source)
        return tuple(event for event in self._events if (event, source) in self._rows)

    def sources(self, event: str) -> tuple[str, ...]:
        """The states in which `event` may happen."""
        return tuple(dict.fromkeys(row.source for row in self._event(event)))

    def permission(self, event: str, source: str | None = None) -> str:
        """What the actor must hold. Where it depends on the state (review levels), `source` is needed."""
        rows = self._event(event) if source is None else self._rows.get((event, source), [])
        if not rows:
            raise self._refusal(event, source or "", None)
        permissions = {row.permission for row in rows}
        if len(permissions) > 1:
            raise ValueError(f"{self.name}: the permission of {event!r} depends on the state; say which")
        return permissions.pop()

    # --- documents ---

    def diagram(self) -> str:
        """The machine as a Mermaid state diagram."""
        lines = ["stateDiagram-v2"]
        lines += [f'    state "{state.label}" as {state.code}' for state in self.states]
        lines.append(f"    [*] --> {self.initial}")
        for row in self.transitions:
            text = f"{row.label} [{row.guard}]" if row.guard else row.label
            lines.append(f"    {row.source} --> {row.target}: {text}")
        lines += [f"    {state.code} --> [*]" for state in self.states if state.final]
        return "\n".join(lines) + "\n"

    def matrix(self) -> list[dict[str, str]]:
        """The table's rows with labels, for the permission matrix in the documents."""
        return [
            {
                "event": row.event,
                "event_label": row.label,
                "source": row.source,
                "source_label": self.state(row.source).label,
                "target": row.target,
                "target_label": self.state(row.target).label,
                "permission": row.permission,
                "guard": row.guard or "",
            }
            for row in self.transitions
        ]

    # --- inside ---

    def _event(self, event: str) -> list[Transition]:
        try:
            return self._events[event]
        except KeyError:
            raise ValueError(f"{self.name}: unknown event {event!r}") from None

    def _refusal(self, event: str, source: str, to: str | None) -> Refused:
        state = self.state(source)
        possible = [self.event_label(code) for code in self.events(source)]
        aim = f"到“{self.state(to).label}”" if to is not None else ""
        return Refused(
            "TRANSITION_NOT_ALLOWED",
            f"{self.label}当前状态为“{state.label}”，不能执行“{self.event_label(event)}”{aim}。",
            found=state.label,
            expected="、".join(self.state(code).label for code in self.sources(event)),
            action=f"现在可以执行：{'、'.join(possible)}。" if possible else "该状态已是终态，不能再变更。",
            machine=self.name,
            event=event,
            state=source,
        )

    def _check(self) -> None:
        def fail(text: str) -> ValueError:
            return ValueError(f"machine {self.name!r}: {text}")

        if len(self._state) != len(self.states):
            raise fail("a state code is used twice")
        used = {self.initial} | {code for row in self.transitions for code in (row.source, row.target)}
        if unknown := sorted(used - set(self._state)):
            raise fail(f"unknown states {unknown}")
        keys = [(row.event, row.source, row.target) for row in self.transitions]
        if twice := sorted({key for key in keys if keys.count(key) > 1}):
            raise fail(f"duplicate transitions {twice}")
        for event, rows in self._events.items():
            if len({row.label for row in rows}) > 1:
                raise fail(f"event {event!r} has more than one label")
        left = {row.source for row in self.transitions}
        for state in self.states:
            if state.final and state.code in left:
                raise fail(f"final state {state.code!r} is left again")
            if not state.final and state.code not in left:
                raise fail(f"state {state.code!r} is a dead end but not marked final")
        reached, frontier = {self.initial}, [self.initial]
        while frontier:
            here = frontier.pop()
            for row in self.transitions:
                if row.source == here and row.target not in reached:
                    reached.add(row.target)
                    frontier.append(row.target)
        if lost := [code for code in self._state if code not in reached]:
            raise fail(f"unreachable states {lost}")
