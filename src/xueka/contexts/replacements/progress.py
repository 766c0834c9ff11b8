"""The way of one replacement as the family sees it: what happened when, what comes next, and by when."""

from dataclasses import dataclass
from datetime import date, datetime

from xueka.contexts.cards import api as cards
from xueka.contexts.replacements.domain import rules
from xueka.contexts.replacements.domain import transitions as t
from xueka.contexts.replacements.models import Replacement
from xueka.contexts.replacements.services.common import money_words
from xueka.kernel.money import format_yuan
from xueka.platform.history import queries as history
from xueka.platform.history.queries import Step
from xueka.platform.identity.scope import EVERYWHERE

DONE, NOW, TODO, STOPPED = "done", "now", "todo", "stopped"


@dataclass(frozen=True, slots=True)
class Stage:
    """`state` is done, now, todo or stopped; `due` the promised day of what is not there yet."""

    code: str
    label: str
    state: str
    at: datetime | None = None
    detail: str = ""
    due: date | None = None


def timeline(replacement: Replacement) -> list[Stage]:
    """Every stage in order, from handing in to the child's hand. The caller has found it in her scope."""
    steps = history.timeline({t.REPLACEMENT.name: [replacement.id]})
    times = {step.event: step.at for step in steps}
    made = _card_times(replacement)
    found = [_stage("submit", "提交申请", times.get("submit"))]
    if replacement.fee_fen:
        detail = format_yuan(replacement.fee_fen)
        found.append(_stage("pay", "缴费", times.get("pay") and replacement.started_at, detail))
    accepted = replacement.started_at if replacement.application_id else None
    found.append(_stage("review", "审核", made.get("accepted"), "区级、市级审核" if accepted else ""))
    found.append(_stage("make", "制卡", made.get("made")))
    if replacement.delivery == rules.HOME:
        found.append(_posted(replacement, times.get("post")))
    elif replacement.delivery == rules.SCHOOL:
        found.append(_stage("send", "送往学校", made.get("sent")))
    arrived = {rules.SCHOOL: "到校", rules.DISTRICT: "可以到区里领取", rules.HOME: "送达"}
    due = replacement.promised_on if replacement.state in t.PROMISED else None
    found.append(
        _stage("arrive", arrived.get(replacement.delivery, "送达"), replacement.delivered_at, due=due)
    )
    found.append(_stage("hand_out", "领到新卡", times.get("hand_out")))
    return _ended(replacement, steps, found) or _with_now(found)


def _stage(code: str, label: str, at: datetime | None, detail: str = "", *, due: date | None = None) -> Stage:
    return Stage(code, label, DONE if at else TODO, at, detail, None if at else due)


def _posted(replacement: Replacement, at: datetime | None) -> Stage:
    """With the carrier, unless it came back."""
    if replacement.bounced_why and replacement.state == t.TO_POST:
        return _stage("send", "重新寄出", None, f"上次被退回：{replacement.bounced_why}")
    carried = f"{replacement.carrier} {replacement.waybill}".strip()
    return _stage("send", "寄出", at if carried else None, carried)


def _with_now(found: list[Stage]) -> list[Stage]:
    """The stages before the last one that happened are done too; the first that has not is where it is."""
    last = max((place for place, stage in enumerate(found) if stage.state == DONE), default=-1)
    return [
        Stage(stage.code, stage.label, _state(place, last), stage.at, stage.detail, stage.due)
        for place, stage in enumerate(found)
    ]


def _state(place: int, last: int) -> str:
    if place <= last:
        return DONE
    return NOW if place == last + 1 else TODO


def _ended(replacement: Replacement, steps: list[Step], found: list[Stage]) -> list[Stage]:
    """What happened, and then the end, where it came to nothing; empty where it did not."""
    if replacement.state not in (t.CANCELLED, t.REFUNDING, t.REFUNDED):
        return []
    done = [stage for stage in found if stage.at]
    end = next(step for step in steps if step.event in ("cancel", "lapse", "stop"))
    label = t.REPLACEMENT.event_label(end.event)
    done.append(Stage(end.event, label, STOPPED, end.at, replacement.stopped_why))
    if replacement.state != t.CANCELLED:
        back = next((step.at for step in steps if step.event == "refunded"), None)
        done.append(Stage("refund", "退款", DONE if back else NOW, back, money_words(replacement)))
    return done


def _card_times(replacement: Replacement) -> dict[str, datetime]:
    """When the application was accepted, and when the card that counts was made and sent."""
    if replacement.application_id is None:
        return {}
    times: dict[str, datetime] = {}
    for step in history.timeline({cards.APPLICATION.name: [replacement.application_id]}):
        if step.to_state == cards.ACCEPTED and "accepted" not in times:
            times["accepted"] = step.at
    rows = cards.card_rows(EVERYWHERE).filter(application=replacement.application_id)
    rows = rows.exclude(state__in=["failed", "void"]).order_by("-id")
    card_id = rows.values_list("id", flat=True).first()
    for step in history.timeline({cards.CARD.name: [card_id]}) if card_id else []:
        if step.event in ("make", "finish"):
            times["made"] = step.at
        elif step.event == "dispatch":
            times["sent"] = step.at
    return times
