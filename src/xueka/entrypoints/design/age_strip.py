"""How long the oldest waited, hour by hour, as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass

from xueka.entrypoints.design import formats


@dataclass(frozen=True, slots=True)
class AgeStrip:
    """How long the oldest waited, hour by hour: `spans` of label and seconds (None: nobody looked). From
    `late` seconds on it is late, from four times as many very late. Tone and height say the same.
    """

    label: str
    spans: Sequence[tuple[str, int | None]]
    late: float

    @property
    def cells(self) -> list[tuple[int, int, str, str]]:
        """(place, height of 3, tone, words) of the hours in which somebody looked."""
        found = []
        for place, (label, seconds) in enumerate(self.spans):
            if seconds is None:
                continue
            height = 1 + (seconds > self.late) + (seconds > 4 * self.late)
            said = f"最久等了 {formats.seconds(seconds)}" if seconds else "没有等待"
            found.append((place, height, ("ok", "wait", "bad")[height - 1], f"{label} {said}"))
        return found

    @property
    def words(self) -> str:
        seen = [(seconds, label) for label, seconds in self.spans if seconds is not None]
        if not seen:
            return "没有记录"
        late = sum(seconds > self.late for seconds, _ in seen)
        longest, at = max(seen)
        if not late:
            return "没有超时"
        return f"{late} 个小时有超时，最久 {formats.seconds(longest)}（{at}）"
