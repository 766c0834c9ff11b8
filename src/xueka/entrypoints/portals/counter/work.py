"""Where a card is on its way over the counter, in words, and the one next step."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.urls import reverse

from xueka.contexts.cards import api as cards
from xueka.contexts.personalization import api as personalization
from xueka.contexts.printing import api as printing
from xueka.contexts.replacements import api as replacements
from xueka.entrypoints.design.ui import Action, Confirm, Step
from xueka.platform.identity.actor import Actor

_NEXT = "Space"
_SPOIL = [*printing.SPOIL_REASONS.items()]
_REPRINT = [*printing.REPRINT_REASONS.items()]


@dataclass(frozen=True, slots=True)
class Work:
    """`busy`: a machine works, the page asks again by itself. `plastic`: what to do with the card in hand.

    `give`: it may be given to somebody at the counter; `posted`: that is the exception, the family wants it
    by post.
    """

    title: str
    tone: str
    message: str = ""
    plastic: str = ""
    busy: bool = False
    chip_steps: Sequence[personalization.StepView] = ()
    steps: Sequence[Step] = ()
    actions: Sequence[Action] = ()
    give: bool = False
    posted: bool = False

    @property
    def shape(self) -> str:
        """Differs when other buttons belong on the page."""
        return f"{self.tone}-{len(self.actions)}"

    @property
    def chip_steps_done(self) -> int:
        return sum(step.state == "done" for step in self.chip_steps)


@dataclass(slots=True)
class _Facts:
    card: cards.Card
    chip: bool
    session: personalization.Progress | None
    job: printing.PrintJob | None
    again: bool = field(default=False)


def facts_of(actor: Actor, card: cards.Card) -> _Facts:
    session = personalization.sessions(actor.scope).filter(card=card, purpose="make").order_by("-id").first()
    jobs = printing.jobs_of(actor.scope, card.pk)
    return _Facts(
        card,
        card.kind.has_chip,
        personalization.progress(session.pk) if session else None,
        jobs[0] if jobs else None,
        any(job.state != "cancelled" for job in jobs),
    )


def work(actor: Actor, card: cards.Card) -> Work:
    """The card's work now."""
    facts = facts_of(actor, card)
    if card.state == cards.ISSUING:
        return _making(facts)
    if card.state == cards.READY and (parcel := _parcel(actor, card)):
        return Work(
            "这张卡邮寄到家",
            "wait",
            "卡面和芯片都已核对。请打印面单，装好后交给快递。",
            steps=_steps(facts, 4, last="邮寄"),
            actions=[
                Action(
                    "去邮寄",
                    reverse("counter:parcel", args=[parcel.number]),
                    icon="mail",
                    tone="primary",
                    hotkey=_NEXT,
                ),
                _spoil(facts),
            ],
            give=parcel.state == replacements.TO_POST,
            posted=True,
        )
    if card.state == cards.READY:
        return Work(
            "请领卡人核对后发放",
            "wait",
            "卡面和芯片都已核对。发放时旧卡即刻作废。",
            steps=_steps(facts, 4),
            actions=[_spoil(facts)],
            give=True,
        )
    return _over(facts)


def _making(facts: _Facts) -> Work:
    session = facts.session
    if facts.chip and (session is None or session.state != "verified"):
        return _writing(facts, session)
    return _printing(facts, facts.job)


def _writing(facts: _Facts, session: personalization.Progress | None) -> Work:
    steps = _steps(facts, 1, bad=session is not None and session.state == "failed")
    if session is not None and not session.over:
        ask = Confirm(
            "放弃这次写卡",
            "还没有放卡的，什么也没有发生；已经写过的卡作废。",
            "放弃",
            "required",
            reason_label="理由",
        )
        giving_up = _act(facts, "abort", "放弃这次写卡", "player-stop", confirm=ask)
        may_stop = session.state in ("waiting", "unknown")
        return Work(
            session.label,
            "wait" if may_stop else "progress",
            session.message,
            session.plastic,
            True,
            session.steps,
            steps,
            [giving_up] if may_stop else [],
        )
    if session is None:
        return Work(
            "已取号，等待写芯片", "wait", steps=steps,
            actions=[_act(facts, "write", "写芯片", "cpu", "primary", _NEXT), _spoil(facts)],
        )  # fmt: skip
    tones = ("default", "primary") if session.raw else ("primary", "default")
    keys = ("", _NEXT) if session.raw else (_NEXT, "")
    again = _act(facts, "write", "再写一次", "cpu", tones[0], keys[0])
    whole = _act(facts, "write", "先初始化再写", "cpu", tones[1], keys[1], params={"whole": "1"})
    return Work(
        session.label,
        "bad" if session.state == "failed" else "wait",
        session.message,
        session.plastic,
        steps=steps,
        actions=[*((whole, again) if session.raw else (again, whole)), _spoil(facts)],
    )


def _printing(facts: _Facts, job: printing.PrintJob | None) -> Work:
    if job is None or job.state == "cancelled":
        label = "打印卡面"
        act = (
            _again(facts, label) if facts.again else _act(facts, "print", label, "printer", "primary", _NEXT)
        )
        words = "芯片已写好并验证。请把卡放进打印机。" if facts.chip else "请把白卡放进打印机。"
        return Work("等待打印卡面", "wait", words, steps=_steps(facts, 2), actions=[act, _spoil(facts)])
    label = printing.PRINT_JOB.state(job.state).label
    where = f"{job.printer.name}：{job.message}" if job.message else job.printer.name
    if job.state in ("queued", "sent", "printing"):
        actions = [_act(facts, "unprint", "取消打印", "x")] if job.state == "queued" else []
        return Work(label, "progress", where, busy=True, steps=_steps(facts, 2), actions=actions)
    if job.state == "unknown":
        late = f"；代理后来说：{job.late}" if job.late else ""
        return Work(
            label,
            "wait",
            f"{where}{late}",
            "请从打印机取出卡，看卡面是否已经印好。",
            steps=_steps(facts, 2, bad=True),
            actions=[
                _act(facts, "settle", "已经印好", "check", "primary", "y", params={"printed": "1"}),
                _act(facts, "settle", "没有印出", "x", hotkey="n", params={"printed": ""}),
            ],
        )
    if job.state == "failed":
        return Work(
            label,
            "bad",
            where,
            "卡没有印，可以再打印；卡有损伤的，请作废。",
            steps=_steps(facts, 2, bad=True),
            actions=[_again(facts, "再打印"), _spoil(facts)],
        )
    return Work(
        "请核对卡面",
        "wait",
        "姓名、教育ID与下图一致，字迹清楚，条码完整。",
        steps=_steps(facts, 3),
        actions=[_act(facts, "finish", "核对无误", "check", "primary", _NEXT), _spoil(facts)],
    )


def _over(facts: _Facts) -> Work:
    onward = Action("下一张", reverse("counter:home"), icon="arrow-right", tone="primary", hotkey=_NEXT)
    if facts.card.state == "active":
        words = "新卡已生效，旧卡已作废，申领已办结。"
        return Work("已发放", "ok", words, steps=_steps(facts, 5), actions=[onward])
    session, label = facts.session, cards.CARD.state(facts.card.state).label
    message = session.message if session and session.state == "void" else ""
    plastic = (session.plastic if session else "") or "请把卡剪角，放入废卡盒。"
    actions = [onward]
    if facts.card.state == "failed" and facts.card.application.state == cards.AT_COUNTER:
        url = reverse("counter:act", args=[facts.card.number, "scrap"])
        again = Action("废卡已收好，重新制卡", url, "post", "refresh", "primary", hotkey=_NEXT)
        actions = [again, Action("先办别人的", reverse("counter:home"), icon="arrow-right")]
    return Work(label, "bad", message, plastic, steps=_steps(facts, 1, bad=True), actions=actions)


def _parcel(actor: Actor, card: cards.Card) -> replacements.Replacement | None:
    return replacements.parcels(actor.scope).filter(application=card.application_id).first()


def _steps(facts: _Facts, now: int, *, bad: bool = False, last: str = "发放") -> list[Step]:
    labels = ["取号", "写芯片", "印卡面", "核对", last]
    found = []
    for place, label in enumerate(labels):
        state = "done" if place < now else "todo" if place > now else "bad" if bad else "now"
        if label == "写芯片" and not facts.chip:
            state = "skipped"
        found.append(Step(label, state))
    return found


def _act(
    facts: _Facts,
    verb: str,
    label: str,
    icon: str,
    tone: str = "default",
    hotkey: str = "",
    confirm: Confirm | None = None,
    params: dict[str, str] | None = None,
) -> Action:
    url = reverse("counter:act", args=[facts.card.number, verb])
    return Action(label, url, "post", icon, tone, confirm=confirm, params=params or {}, hotkey=hotkey)


def _again(facts: _Facts, label: str) -> Action:
    ask = Confirm("再打印一次", "同一张卡再打印，须写明为什么。", "打印", "required", _REPRINT)
    return _act(facts, "print", label, "printer", "primary", _NEXT, ask)


def _spoil(facts: _Facts) -> Action:
    body = "这张卡片不再使用，它的号码作废；申领回到队列，另制一张。请把卡剪角，放入废卡盒。"
    ask = Confirm("作废这张卡", body, "作废", "required", _SPOIL, "原因")
    return _act(facts, "spoil", "作废这张卡", "trash", "danger", confirm=ask)
