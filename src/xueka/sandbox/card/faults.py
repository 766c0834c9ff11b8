"""The fault dial of one card: what goes wrong, at which command of its life (counted from 1).

Words, separated by commas: `before@12` and `after@12` pull the card before or after the command took effect,
`torn@12` in the middle of its write; `status@12:6f00` answers that instead of working; `hang@12` never
answers, `hang@0` does not even answer when it is switched on again; `slow=5` takes so
many milliseconds a command; `worn=40` writes wear the memory out. `pull=0.05` pulls that share of the cards,
each at a random command of the first `span=60`, drawn from `seed=1` and the card's place in the stack.
"""

import random
from dataclasses import dataclass, field
from typing import Literal, Self

Event = Literal["before", "after", "torn", "status", "hang"]
PULLS: tuple[Event, ...] = ("before", "after", "torn")
EVENTS = (*PULLS, "status", "hang")


@dataclass
class Faults:
    at: dict[int, tuple[Event, int]] = field(
        default_factory=dict
    )  # number of the command → what, status word
    slow: float = 0.0
    worn: int | None = None
    pull: float = 0.0
    span: int = 60
    seed: int = 1

    @classmethod
    def read(cls, text: str) -> Self:
        """ValueError says which word is not understood."""
        found = cls()
        for word in filter(None, text.split(",")):
            try:
                found._take(word)
            except ValueError as error:
                raise ValueError(f"fault not understood: {word}") from error
        return found

    def _take(self, word: str) -> None:
        name, _, number = word.partition("@")
        if number and name in EVENTS:
            number, _, status = number.partition(":")
            self.at[int(number)] = (name, int(status or "6f00", 16))  # type: ignore[assignment]
            return
        name, _, value = word.partition("=")
        if name == "slow":
            self.slow = float(value) / 1000
        elif name == "pull":
            self.pull = float(value)
        elif name in {"worn", "span", "seed"}:
            setattr(self, name, int(value))
        else:
            raise ValueError(word)

    def of_card(self, place: int) -> dict[int, tuple[Event, int]]:
        """What happens to the card at this place: the same for equal seeds."""
        dice = random.Random(f"{self.seed}/{place}")  # noqa: S311 - faults, not keys
        happening = dict(self.at)
        if dice.random() < self.pull:
            happening[dice.randint(1, self.span)] = (dice.choice(PULLS), 0)
        return happening
