"""A gateway without a wire."""

from collections.abc import Mapping

from xueka.platform.messages import hearing
from xueka.platform.messages.ports import Answer, Outcome, Report, Taken


class Fake:
    """A gateway that keeps what it was given by key, and does what the next of `acts` says."""

    def __init__(self, *acts: Exception | None) -> None:
        self.acts = list(acts)
        self.kept: dict[str, tuple[str, str, dict[str, str]]] = {}
        self.outcome = Outcome()

    def send(self, key: str, phone: str, template: str, values: dict[str, str]) -> Taken:
        act = self.acts.pop(0) if self.acts else None
        if act is not None:
            raise act
        self.kept[key] = (phone, template, values)
        return Taken(f"G{key}")

    def ask(self, key: str, gateway_id: str) -> Outcome:
        return self.outcome

    def replies(self, after: int) -> tuple[list[Answer], int]:
        return [], after

    def reports(self, target: str, headers: Mapping[str, str], body: bytes) -> list[Report]:
        return []

    def arrive(self, key: str) -> None:
        """The phone has this one, as the gateway reports."""
        hearing.hear([Report(key, f"G{key}", Outcome(delivered=True))])
