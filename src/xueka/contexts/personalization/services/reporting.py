"""What an agent reports: kept first, then judged, then the next step. Reported twice, it gets one answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction

from xueka.contexts.personalization.domain import judging
from xueka.contexts.personalization.domain import transitions as t
from xueka.contexts.personalization.domain.compiling import ask_control
from xueka.contexts.personalization.domain.judging import Verdict, judge
from xueka.contexts.personalization.models import Agent, CardKeyVersion, Run, Session
from xueka.contexts.personalization.services import upgrading
from xueka.contexts.personalization.services.chips import identified
from xueka.contexts.personalization.services.common import acting
from xueka.contexts.personalization.services.ending import ASIDE, claim, fail, give_up, prove, refuse
from xueka.contexts.personalization.services.handing_out import look, lose
from xueka.contexts.personalization.services.preparing import (
    answers_of,
    commands_of,
    payload,
    plan_of,
    prepare,
    profile_of,
    seal,
)
from xueka.kernel import clock
from xueka.kernel.errors import NotFound
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor

Next = dict[str, Any] | None
#: Plastic as its maker delivers it: a card of whole stages is to be opened for it.
NOT_INITIALISED = "NOT_INITIALISED"
#: What the agent is told of each state.
TOLD = {
    t.WAITING: "running",
    t.RUNNING: "running",
    t.UNKNOWN: "running",
    t.PROBING: "running",
    t.VERIFIED: "verified",
    t.VOID: "void",
    t.FAILED: "failed",
    t.CANCELLED: "failed",
}


@dataclass(frozen=True, slots=True)
class Report:
    """`answers` are (data, status word, milliseconds), one for each command that was answered."""

    outcome: str
    atr: str
    answers: Sequence[tuple[bytes, str, int]]


def report(agent: Agent, session_id: int, run_code: str, given: Report) -> dict[str, Any]:
    """The reply for the agent: `next` run or None, `state`, `message`.

    The answers are kept in a transaction of their own: if the next step cannot be prepared, they are not
    lost, and the agent reports again. Raises NotFound `SESSION_UNKNOWN`, `RUN_UNKNOWN`; Refused of a key
    that may not be used.
    """
    with transaction.atomic():
        run = _run(agent, session_id, run_code)
        if run.reply is not None:
            return _expanded(run)
        late = run.outcome == "lost"
        if run.answers is None:
            _keep(run, given, late)
    with transaction.atomic():
        session = (
            Session.objects.select_for_update(of=("self",))
            .select_related("profile", "agent")
            .get(pk=session_id)
        )
        run = _run(agent, session_id, run_code)
        if run.reply is not None:
            return _expanded(run)
        next_: Next = None
        if not run.late and session.state in (t.RUNNING, t.PROBING):
            next_ = _advance(acting(agent), session, run)
        session.refresh_from_db()
        reply = {"state": TOLD[session.state], "message": session.message}
        # Of the next run its name alone: its commands lie sealed in the journal.
        Run.objects.filter(pk=run.pk).update(reply={"next": next_["run"] if next_ else None, **reply})
        return {"next": next_, **reply}


def _expanded(run: Run) -> dict[str, Any]:
    """The reply as it was given, the next run read from the journal; one that was given up meanwhile is not
    begun any more.
    """
    assert run.reply is not None
    code = run.reply["next"]
    seq = int(code.rpartition("-")[2]) if code else 0
    next_ = Run.objects.get(session_id=run.session_id, seq=seq) if code else None
    return {**run.reply, "next": payload(next_) if next_ is not None and next_.outcome != "lost" else None}


def _run(agent: Agent, session_id: int, run_code: str) -> Run:
    session, _, seq = run_code.partition("-")
    mine = Run.objects.filter(session_id=session_id, session__agent=agent)
    if not mine.exists():
        raise NotFound("SESSION_UNKNOWN", "没有这次写卡。")
    found = None
    if session == str(session_id) and seq.isascii() and seq.isdigit() and len(seq) < 5:
        found = mine.select_for_update(of=("self",)).filter(seq=int(seq)).first()
    if found is None:
        raise NotFound("RUN_UNKNOWN", "没有这组命令。", found=run_code[:40])
    return found


def _keep(run: Run, given: Report, late: bool) -> None:
    rows = [{"data": data.hex(), "sw": sw} for data, sw, _ in given.answers]
    values: dict[str, Any] = {
        "answers": seal(rows),
        "words": [sw for _, sw, _ in given.answers],
        "milliseconds": sum(ms for _, _, ms in given.answers),
        "atr": given.atr,
        "answered_at": clock.now(),
        "late": late,
    }
    if not late:
        values["outcome"] = given.outcome
    Run.objects.filter(pk=run.pk).update(**values)


def _advance(actor: Actor, session: Session, run: Run) -> Next:
    verdict = judge(commands_of(run), run.outcome, answers_of(run))
    if session.purpose == "upgrade":
        return upgrading.advance(actor, session, run, verdict)
    if run.part == "make":
        return _made(actor, session, run, verdict)
    if run.part == "look":
        return _looked(actor, session, verdict)
    return _answered(actor, session, run, verdict)


def _made(actor: Actor, session: Session, run: Run, verdict: Verdict) -> Next:
    if verdict.kind == "unknown":
        lose(actor, session, run.outcome)
        return None
    if verdict.kind == "stopped" and _untouched(session, run, verdict):
        if _not_initialised(verdict):
            fail(actor, session, NOT_INITIALISED, _why_stopped(verdict))
        else:
            refuse(actor, session, _why_stopped(verdict))
        return None
    if run.writes:
        claim(session)
    if verdict.kind in ("stopped", "different"):
        return look(actor, session)
    if run.number == 0 and (why := identified(session, verdict.chip)):
        _wrong_card(actor, session, why)
        return None
    return _go_on(actor, session, run, verdict.challenge)


def _untouched(session: Session, run: Run, verdict: Verdict) -> bool:
    """Whether the card that refused a command is as it was before the session."""
    earlier = Run.objects.filter(session=session, writes=True, seq__lt=run.seq).exists()
    # A key that was on its way to this plastic stands in the lineage of its card: no other may take it over.
    sent = CardKeyVersion.objects.filter(session=session).exists()
    return not earlier and not sent and judging.changed_nothing(commands_of(run), verdict)


def _wrong_card(actor: Actor, session: Session, why: str) -> None:
    if session.touched:
        lose(actor, session)
        Session.objects.filter(pk=session.pk).update(message=why, look={"other": True})
    else:
        fail(actor, session, "CHIP_NOT_FREE", why, ASIDE)


def _go_on(actor: Actor, session: Session, run: Run, challenge: bytes) -> Next:
    """The next run of the plan, or the end of it."""
    plan = plan_of(session, profile_of(session))
    position = run.number + 1
    if position == len(plan.runs):
        prove(actor, session, "写卡完成：读回一致，内部认证正确")
        return None
    Session.objects.filter(pk=session.pk).update(position=position)
    return prepare(actor, session, plan.runs[position], part="make", number=position, challenge=challenge)


def _not_initialised(verdict: Verdict) -> bool:
    return verdict.what == "select" and verdict.sw == "6a82"


def _why_stopped(verdict: Verdict) -> str:
    if _not_initialised(verdict):
        return "这张卡不是已初始化的空白卡：没有教育应用"
    if verdict.what == "authenticate":
        return f"空白卡密钥不对（{verdict.refusal}）：可能已写过，或不是我们的空白卡"
    return f"{verdict.title}：{verdict.refusal}"


def _looked(actor: Actor, session: Session, verdict: Verdict) -> Next:
    if verdict.kind == "unknown":
        lose(actor, session)
        return None
    if session.chip_uid and verdict.chip != session.chip_uid:
        lose(actor, session)
        Session.objects.filter(pk=session.pk).update(
            message=f"这是另一张卡，请放回芯片为 {session.chip_uid} 的那张", look={"other": True}
        )
        return None
    if not session.chip_uid and (why := identified(session, verdict.chip)):
        # The very first run was lost, and the card that lies there now cannot be used.
        give_up(actor, session, "CHIP_NOT_FREE", why)
        return None
    seen = judging.look(verdict)
    if not seen.selected:
        give_up(actor, session, "APPLICATION_GONE", "教育应用不见了")
        return None
    if verdict.kind == "stopped":
        give_up(actor, session, "CARD_BAD", _why_stopped(verdict))
        return None
    kept = {"contents": seen.contents, "proof": seen.proof, "selected": True}
    Session.objects.filter(pk=session.pk).update(look=kept)
    session.look = kept
    new = _control_was_sent(session)
    return _ask(actor, session, "new" if new else "old", verdict.challenge)


def _ask(actor: Actor, session: Session, which: str, challenge: bytes) -> Next:
    steps = ask_control(profile_of(session), new=which == "new")
    return prepare(actor, session, steps, part=which, challenge=challenge)


def _control_was_sent(session: Session) -> bool:
    """Whether the command that changes the control key was ever handed out."""
    runs = Run.objects.filter(session=session, part="make", writes=True)
    main = profile_of(session).main.code
    return any(command.what == f"key {main}.control" for run in runs for command in commands_of(run))


def _answered(actor: Actor, session: Session, run: Run, verdict: Verdict) -> Next:
    if verdict.kind == "unknown":
        lose(actor, session)
        return None
    right = verdict.found["authenticate"].sw == "9000"
    if run.part == "new" and not right:
        if verdict.kind == "stopped":  # no challenge, so nothing more can be asked
            give_up(actor, session, "CARD_BAD", _why_stopped(verdict))
            return None
        return _ask(actor, session, "old", verdict.challenge)
    seen = judging.Look(**session.look)
    control = run.part if right else ""
    event, why = judging.after_probe(
        seen, control, session.redone, settings.PERSONALIZATION_REDO, _scripts_open(session)
    )
    if event == "prove":
        prove(actor, session, f"写卡完成：{why}")
        return None
    if event == "spoil":
        give_up(actor, session, "CARD_BAD", why)
        return None
    apply(t.SESSION, Session, [session.pk], "redo", actor, reason=why)
    Session.objects.filter(pk=session.pk).update(
        redone=session.redone + 1, position=0, message="正在重写，请不要移动"
    )
    session.refresh_from_db()
    plan = plan_of(session, profile_of(session))
    return prepare(actor, session, plan.runs[0], part="make", number=0, reset=True)


def _scripts_open(session: Session) -> bool:
    """Whether a partner's script belongs to the plan and was not confirmed to its end by the card."""
    if not session.scripts:
        return False
    plan = plan_of(session, profile_of(session))
    last = (
        Run.objects.filter(session=session, part="make", number=len(plan.runs) - 1).order_by("-seq").first()
    )
    if last is None:
        return True
    commands, answers = commands_of(last), answers_of(last)
    ran = [at for at, command in enumerate(commands) if command.what == "script"]
    return len(answers) <= ran[-1] or not all(
        judging.expected(answers[at].sw, commands[at].expect) for at in ran
    )
