"""May this verb happen to this application? The one decision behind both the preview and the act."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xueka.contexts.cards.domain import states as s
from xueka.contexts.cards.domain.bulk import Refusal
from xueka.contexts.cards.domain.transitions import APPLICATION
from xueka.kernel.errors import Refused

#: Review levels in their order; a kind has any of them (`CardKind.review_levels`).
LEVELS = {"school": s.SCHOOL_REVIEW, "district": s.DISTRICT_REVIEW, "city": s.CITY_REVIEW}
_ORDER = list(LEVELS.values())
_REVIEWS = ("approve", "send_back", "refuse")
_UNDONE = ("approve", "send_back")


@dataclass(frozen=True, slots=True)
class Case:
    """What the decision looks at. The last three (its present step) are known only to `recall`."""

    id: int
    state: str
    levels: Sequence[str]
    kind_open: bool
    photo_missing: bool
    consent_missing: bool
    submitted_by: str
    card_elsewhere: bool = False
    last_event: str = ""
    last_actor: str = ""
    came_from: str = ""


def next_state(levels: Sequence[str], state: str) -> str:
    """The review that follows `state` in a kind with these levels, or accepted."""
    passed = _ORDER.index(state) if state in _ORDER else -1
    asked = {LEVELS[level] for level in levels}
    return next((later for later in _ORDER[passed + 1 :] if later in asked), s.ACCEPTED)


def target(verb: str, case: Case) -> str | None:
    """Where `verb` leads, for the verbs where the table leaves a choice."""
    if verb == "recall":
        return case.came_from
    return next_state(case.levels, case.state) if verb in ("submit", "approve") else None


def judge(verb: str, case: Case, username: str, may: Callable[[str], bool]) -> Refusal | None:
    """Why `verb` will not happen to this application, or None. `may` answers for permissions."""
    to = None
    if APPLICATION.allows(verb, case.state):
        if verb == "recall" and not _own_step(case, username):
            return Refusal(case.id, "NOT_YOUR_STEP", "只有刚刚办理它的本人才能收回；它已由别人接着办理。")
        to = target(verb, case)
    try:
        APPLICATION.target(verb, case.state, to)
    except Refused as refusal:
        return Refusal(case.id, refusal.code, refusal.message)
    if not may(APPLICATION.permission(verb, case.state)):
        return Refusal(
            case.id, "NOT_YOUR_LEVEL", f"该申领{APPLICATION.state(case.state).label}，不由您这一级办理。"
        )
    if verb in _REVIEWS and case.submitted_by == username:
        return Refusal(case.id, "REVIEWER_IS_SUBMITTER", "提交人不能审核自己提交的申领，请由另一人审核。")
    if verb == "cancel" and case.card_elsewhere:
        return Refusal(
            case.id, "CARD_ELSEWHERE", "卡正在卡厂、箱里或学校手里，不能取消；请先收回或登记丢失。"
        )
    return _judge_submit(case) if verb == "submit" else None


def _own_step(case: Case, username: str) -> bool:
    return case.last_event in _UNDONE and case.last_actor == username


def _judge_submit(case: Case) -> Refusal | None:
    if not case.kind_open:
        return Refusal(case.id, "KIND_CLOSED", "该卡种已停止申领。")
    if case.photo_missing:
        return Refusal(case.id, "PHOTO_MISSING", "缺少照片：请上传合格的学籍照片后再提交。")
    if case.consent_missing:
        return Refusal(case.id, "CONSENT_MISSING", "没有监护人同意记录：请先登记同意书后再提交。")
    return None
