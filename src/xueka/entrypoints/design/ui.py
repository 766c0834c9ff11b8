"""The shapes that components are drawn from.

A view builds these and hands them to a template tag of the library `ui`; no component reads a model.
Every text is Chinese and ready for the screen. `url` is an address made by `reverse`. A `tone` is one of
TONES.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

#: tone → icon shown when none is named. State is colour + icon + word, never colour alone.
TONES: Mapping[str, str] = {
    "neutral": "circle-dashed",  # not begun, draft
    "progress": "progress",  # being worked on by the system or a counterpart
    "wait": "clock-hour-4",  # waits for a person
    "ok": "circle-check",  # done, valid
    "bad": "alert-triangle",  # wrong, refused, late
    "stop": "lock",  # blocked on purpose: reported lost, frozen
    "ended": "circle-minus",  # closed, cancelled, history
}


@dataclass(frozen=True, slots=True)
class Confirm:
    """A question asked in a native dialog before an action is done.

    `reason`: "none", "optional" or "required"; `reasons` are (code, label) for a choice by one key, and
    `reason_label` heads them. The form posts `reason` (code) and `note` (text).
    """

    title: str
    body: str = ""
    button: str = ""
    reason: str = "none"
    reasons: Sequence[tuple[str, str]] = ()
    reason_label: str = "原因"


@dataclass(frozen=True, slots=True)
class Action:
    """Something a person can do here. `method="post"` makes a form with a CSRF token and `params` as hidden
    fields.

    An action that is not allowed now is still shown, with `disabled_reason`.
    """

    label: str
    url: str = ""
    method: str = "get"
    icon: str = ""
    tone: str = "default"  # primary | default | danger | link
    disabled_reason: str = ""
    confirm: Confirm | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    hotkey: str = ""
    new_window: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A neighbour of an object (kind «批次», text «B2024-0017»), or any plain link."""

    text: str
    url: str = ""
    kind: str = ""
    icon: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Badge:
    text: str
    tone: str = "neutral"
    icon: str = ""


@dataclass(frozen=True, slots=True)
class Tile:
    """One number of a first page, what it means in words, and the one button that deals with it."""

    label: str
    number: int | str
    words: str = ""
    action: Action | None = None
    tone: str = "neutral"
    icon: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Empty:
    """What will appear here, and how to start."""

    title: str
    body: str = ""
    action: Action | None = None
    icon: str = "inbox"


@dataclass(frozen=True, slots=True)
class Fact:
    """A label and a value of an object page. `value` may be a str, date, datetime, Badge, Link or safe
    HTML.
    """

    label: str
    value: Any
    note: str = ""


@dataclass(frozen=True, slots=True)
class ObjectHead:
    """Head of an object page: picture, number, state, next actions (the first primary one is the obvious
    step).
    """

    title: str
    number: str = ""
    kind: str = ""
    state: Badge | None = None
    picture_url: str = ""
    picture_alt: str = ""
    facts: Sequence[Fact] = ()
    actions: Sequence[Action] = ()
    stage: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a timeline, newest first. `at=None` and `promised` makes a step still to come."""

    title: str
    at: datetime | None = None
    actor: str = ""
    detail: str = ""
    tone: str = "neutral"
    icon: str = ""
    links: Sequence[Link] = ()
    promised: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a stepper; `state` is done, now, todo, bad or skipped."""

    label: str
    state: str = "todo"
    note: str = ""
    at: datetime | date | None = None
    url: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a whole: a segment of a bar, a number of a sum, a column of a funnel."""

    label: str
    value: int
    tone: str = "neutral"
    url: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class ProgressRow:
    """A line of progress bars: «三年级 2 班», its parts, and the total they are measured against."""

    label: str
    parts: Sequence[Part]
    total: int
    url: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class SumStrip:
    """Numbers that must add up: `parts` to `total`; `beside` is shown but not counted (lines nobody asked
    for).
    """

    label: str
    total: int
    parts: Sequence[Part]
    beside: Sequence[Part] = ()

    @property
    def difference(self) -> int:
        """What is missing from the parts; anything but zero is shown as an error."""
        return self.total - sum(p.value for p in self.parts)


@dataclass(frozen=True, slots=True)
class FlowStage:
    """A station of the line: how many are there, how old the oldest is, how many are stuck. Each number a
    link.
    """

    label: str
    count: int
    url: str = ""
    oldest: datetime | None = None
    stuck: int = 0
    stuck_url: str = ""
    icon: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class HeatTile:
    """A district (school, class) as a tile; darker is further. `percent` 0–100, or None when nothing is
    planned.
    """

    label: str
    percent: int | None
    url: str = ""
    words: str = ""
    late: bool = False


@dataclass(frozen=True, slots=True)
class HeatTable:
    """Rows × columns coloured by percent. `rows`: (Link, [cell percent or None, …], Action or None)."""

    corner: str
    columns: Sequence[str]
    rows: Sequence[tuple[Link, Sequence[int | None], Action | None]]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number range or a stock: how much is left, and when it runs out. `low` is the warning mark."""

    label: str
    used: int
    total: int
    low: int = 0
    words: str = ""
    runs_out: date | None = None
    url: str = ""

    @property
    def left(self) -> int:
        return self.total - self.used

    @property
    def is_low(self) -> bool:
        return self.left <= self.low


@dataclass(frozen=True, slots=True)
class PhotoCard:
    """A student as a small card: photo, name, and green or the defect in words. `key` "" makes it
    unselectable.
    """

    key: str
    name: str
    photo_url: str = ""
    note: str = ""
    defect: str = ""
    repaired: str = ""
    url: str = ""
    selected: bool = False


@dataclass(frozen=True, slots=True)
class ScanLine:
    """A card (box, device) that is expected or was scanned. `state`: expected, found, missing, extra,
    damaged. `undo` takes a scan back.
    """

    code: str
    text: str = ""
    state: str = "expected"
    note: str = ""
    url: str = ""
    undo: "Action | None" = None


@dataclass(frozen=True, slots=True)
class Scan:
    """Scanner panel: expected and scanned side by side.

    Each scan is posted to `url` as `code`; the view records it and answers with `{% scan_lines scan %}`,
    `said` and `said_tone` (ok, wait, bad) telling what became of it.
    """

    url: str
    expected: Sequence[ScanLine]
    scanned: Sequence[ScanLine]
    label: str = "扫描条码，或键入号码后按回车"
    unit: str = "张"
    said: str = ""
    said_tone: str = "neutral"
    finish: Action | None = None

    @property
    def found(self) -> int:
        return sum(line.state in ("found", "damaged") for line in self.expected)

    @property
    def missing(self) -> int:
        return len(self.expected) - self.found

    @property
    def extra(self) -> int:
        return sum(line.state == "extra" for line in self.scanned)


@dataclass(frozen=True, slots=True)
class DropZone:
    """A place to drop files. Posts multipart to `url` as `name`; the answer is a redirect to the result
    page.
    """

    url: str
    name: str = "file"
    label: str = "把文件拖到这里，或点此选择"
    hint: str = ""
    accept: str = ""
    max_mb: int = 200
    multiple: bool = False
    button: str = "上传"
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LongWork:
    """Long work that may be left and come back to. The page asks `poll_url` every two seconds until
    `finished`.
    """

    label: str
    done: int
    total: int
    poll_url: str
    seconds_left: int | None = None
    finished: bool = False
    failed: str = ""
    result: Action | None = None
    unit: str = "条"


@dataclass(frozen=True, slots=True)
class Wont:
    """Objects that a bulk action leaves alone, for one reason."""

    reason: str
    count: int
    examples: Sequence[Link] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """What a bulk action will do and will not do, before it is done. `do` posts, carrying the same
    selection.
    """

    title: str
    will: int
    will_words: str
    do: Action
    cancel_url: str
    wont: Sequence[Wont] = ()
    examples: Sequence[Link] = ()
    unit: str = "人"
    after: str = ""

    @property
    def wont_count(self) -> int:
        return sum(each.count for each in self.wont)


@dataclass(frozen=True, slots=True)
class CardFace:
    """What is printed on a student card (domain: the new single card). The state is drawn over the picture.

    Front: the city card's mark and number on top; school, name, sex, education ID and validity in the middle;
    transit number and hotline at the bottom. Back: the temple mark and the card's title.
    """

    school: str
    name: str
    sex: str
    education_id: str
    valid_until: str
    city_number: str = ""
    transit_number: str = ""
    hotline: str = ""
    stage: str = ""
    state: Badge | None = None
    city_mark: str = "北京通"
    title: str = "北京市中小学学生卡"
