"""The steps of a plan: commands to a card whose keys are still names."""

from dataclasses import dataclass, field

DONE = ("9000",)
ANYTHING = ("????",)


@dataclass(frozen=True, slots=True)
class CardKeyName:
    """A key of one card by its master's label and what it is diversified by ("" for a blank's shared one)."""

    label: str
    factor: str = ""


@dataclass(frozen=True, slots=True)
class Send:
    """A command that needs no key. `want`: the data that must come back, where that is known."""

    title: str
    apdu: bytes
    expect: tuple[str, ...] = DONE
    want: bytes | None = None
    what: str = "command"
    writes: bool = False


@dataclass(frozen=True, slots=True)
class Challenge:
    """GET CHALLENGE: what comes back is good for the next command only, so a run ends here."""

    title: str
    length: int


@dataclass(frozen=True, slots=True)
class Authenticate:
    """EXTERNAL AUTHENTICATE with the challenge of the run before."""

    title: str
    key: CardKeyName
    id: int
    expect: tuple[str, ...] = DONE
    writes: bool = False


@dataclass(frozen=True, slots=True)
class WriteKey:
    """WRITE KEY, enciphered under the directory's control key `under` and with its MAC.

    `head` are the five bytes before the key; where it carries a version, the byte `version_at` is filled in.
    """

    title: str
    p1: int
    p2: int
    head: bytes
    key: CardKeyName
    under: CardKeyName
    version_at: int | None = None
    role: str = ""
    writes: bool = True


@dataclass(frozen=True, slots=True)
class Prove:
    """INTERNAL AUTHENTICATE: the card enciphers our random number, and we know what must come back."""

    title: str
    key: CardKeyName
    id: int
    expect: tuple[str, ...] = DONE
    writes: bool = False


Step = Send | Challenge | Authenticate | WriteKey | Prove


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done to a card, cut into runs at every challenge."""

    steps: tuple[Step, ...]
    runs: tuple[tuple[Step, ...], ...] = field(default=())

    @classmethod
    def of(cls, steps: list[Step]) -> "Plan":
        runs: list[tuple[Step, ...]] = []
        here: list[Step] = []
        for step in steps:
            here.append(step)
            if isinstance(step, Challenge):
                runs.append(tuple(here))
                here = []
        if here:
            runs.append(tuple(here))
        return cls(tuple(steps), tuple(runs))

    @property
    def round_trips(self) -> int:
        """The poll that hands out the first run, then one report per run."""
        return len(self.runs) + 1

    @property
    def first_write(self) -> int:
        """The first run that changes something on the card; their number where none does."""
        return next((n for n, run in enumerate(self.runs) if writes(run)), len(self.runs))


def writes(run: tuple[Step, ...]) -> bool:
    """Whether a run changes something on the card."""
    return any(not isinstance(step, Challenge) and step.writes for step in run)


def key_names(steps: tuple[Step, ...]) -> list[CardKeyName]:
    """Every key that the steps need, each once."""
    names: list[CardKeyName] = []
    for step in steps:
        if isinstance(step, WriteKey):
            names += [step.key, step.under]
        elif isinstance(step, Authenticate | Prove):
            names.append(step.key)
    return list(dict.fromkeys(names))
