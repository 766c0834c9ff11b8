"""What a ceremony asks of the people in the room, and the patience with which it asks again."""

from collections.abc import Callable, Sequence
from typing import Protocol

from xueka.contexts.keys.domain.ceremony import Person
from xueka.contexts.keys.domain.key_block import KEY_SIZES
from xueka.contexts.keys.services.components import judged
from xueka.kernel.errors import Refused, XuekaError

GIVEN_UP = "CEREMONY_GIVEN_UP"
PATIENCE = 5  # times that somebody may mistype one thing


class Asker(Protocol):
    """The room: a terminal with people before it, or a file of answers in a drill.

    `told` says something to everybody; `prove` gives what a person shows that it is she; `take` hands her the
    words of her share; `word` gives one word of it back; `component` gives her part of a key (hexadecimal)
    and its check value; `share` gives the words that a custodian reads from her sheet.
    """

    def told(self, text: str) -> None: ...

    def prove(self, person: Person, digest: str) -> str: ...

    def take(self, person: Person, words: str) -> None: ...

    def word(self, person: Person, place: int) -> str: ...

    def component(self, person: Person, label: str, size: int) -> tuple[str, str]: ...

    def share(self, person: Person) -> str: ...


def patiently(ask: Callable[[], None], told: Callable[[str], None], what: str) -> None:
    """Ask until it is right; whoever mistypes is told what was wrong and asked again.

    Raises Refused `CEREMONY_GIVEN_UP` after `PATIENCE` times: then nothing has been made.
    """
    for left in range(PATIENCE - 1, -1, -1):
        try:
            ask()
        except XuekaError as refusal:
            if refusal.code == GIVEN_UP:
                raise
            said = "".join(filter(None, [refusal.message, refusal.action]))
            told(f"{said}还可以再试 {left} 次。" if left else said)
        else:
            return
    raise Refused(
        GIVEN_UP,
        f"{what}：{PATIENCE} 次都不对，仪式中止，没有留下任何密钥。",
        action="请核对纸面后重新开始。",
    )


def component(asker: Asker, person: Person, label: str, algorithm: str) -> bytes:
    """One person's part of a key; its own check value, typed beside it, must fit."""
    size = KEY_SIZES[algorithm][0]
    found: list[bytes] = []

    def ask() -> None:
        found.append(judged(*asker.component(person, label, size), algorithm))

    patiently(ask, asker.told, f"{person.name}的 {label} 分量")
    return found[-1]


def taken(asker: Asker, person: Person, words: str, places: Sequence[int]) -> None:
    """She has her share when she can give some of its words back."""
    asker.take(person, words)
    right = words.split()
    for place in places:

        def ask(place: int = place) -> None:
            if asker.word(person, place).strip().lower() != right[place - 1]:
                raise Refused("SHARE_WORD", f"第 {place} 个词不对。", action="请看着纸面再抄一遍。")

        patiently(ask, asker.told, f"{person.name}的份额")
