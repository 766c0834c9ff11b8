"""How a session ends, and what becomes of the card, its numbers and its plastic with it."""

from xueka.contexts.cards import api as cards
from xueka.contexts.numbers import api as numbers
from xueka.contexts.personalization.domain import transitions as t
from xueka.contexts.personalization.models import Session, Upgrade
from xueka.contexts.personalization.services.agents import stop_after_failures
from xueka.contexts.printing import api as printing
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor

#: What the line of production does on its own behalf, whoever stands at the counter.
LINE = Actor.system("personalization")
#: The state of a card whose plastic is being made at a counter.
ISSUING = "issuing"
REFUSED = "CARD_REFUSED"

GOOD = "卡已写好，请打印卡面。"
SCRAP = "这张卡不能再用：请剪角后放入废卡盒，等待销毁登记。"
KEEP = "这张卡没有改动，可以继续用。"
ASIDE = "这张卡没有改动，但不能用来制卡：请另放一边，换一张空白卡。"
NOTHING = ""


def prove(actor: Actor, session: Session, message: str) -> None:
    """Made and proved. A card that was given up meanwhile is not needed any more: its plastic is void."""
    if session.purpose == "make":
        assert session.card_id is not None
        card = cards.card(LINE.scope, session.card_id)
        if card.state != ISSUING:
            state = cards.CARD.state(card.state).label
            spoil(actor, session, "CARD_GONE", f"学生卡 {card.number} 已是“{state}”，不再需要")
            return
    _end(actor, session, "prove", "", message, GOOD if session.purpose == "make" else NOTHING)
    Upgrade.objects.filter(session=session, state="running").update(state="done")


def spoil(actor: Actor, session: Session, code: str, why: str) -> None:
    """The plastic is void and so is the card that was to be on it: its numbers are never given again."""
    if session.purpose != "make":
        fail(actor, session, code, why)
        return
    assert session.card_id is not None
    card = cards.card(LINE.scope, session.card_id)
    if card.state == ISSUING:
        cards.spoil_at_counter(LINE, session.card_id, why)
    _throw_away(session, why)
    _end(actor, session, "spoil", code, f"卡已作废：{why}", SCRAP)


def give_up(actor: Actor, session: Session, code: str, why: str) -> None:
    """It will not become a card: void where something may have been written, else still a blank."""
    (spoil if session.touched else fail)(actor, session, code, why)


def fail(actor: Actor, session: Session, code: str, why: str, plastic: str = KEEP) -> None:
    """Nothing was changed on the card; for an upgrade: it did not come about."""
    if session.purpose == "make" and session.touched:
        Session.objects.filter(pk=session.pk).update(touched=False)
        session.touched = False
    Upgrade.objects.filter(session=session, state="running").update(state="failed")
    _end(actor, session, "fail", code, why, plastic if session.purpose == "make" else NOTHING)


def refuse(actor: Actor, session: Session, why: str) -> None:
    """The card would not do what a blank must and is as it was. A blank of a lot leaves the stock: it is
    never offered again. What is in no lot may be anybody's, and is put aside.
    """
    if session.purpose != "make" or not session.chip_uid:
        fail(actor, session, REFUSED, why)
        return
    ours = numbers.blank_with(session.chip_uid) is not None
    if ours:
        _throw_away(session, why)
    fail(actor, session, REFUSED, why, SCRAP if ours else ASIDE)


def _throw_away(session: Session, why: str) -> None:
    assert session.card_id is not None
    printing.count_spoilt(LINE, session.agent.code, session.card_id, session.chip_uid, why[:100])


def cancel(actor: Actor, session: Session, reason: str) -> None:
    """No card was laid down."""
    _end(actor, session, "cancel", "CANCELLED", reason, NOTHING)


def claim(session: Session) -> None:
    """The blank has been written on: it leaves the stock for this card."""
    if session.purpose == "make" and session.card_id is not None:
        numbers.take_blank(session.card_id, session.chip_uid)


def _end(actor: Actor, session: Session, event: str, code: str, message: str, plastic: str) -> None:
    apply(
        t.SESSION,
        Session,
        [session.pk],
        event,
        actor,
        reason=message,
        detail={"code": code} if code else None,
    )
    Session.objects.filter(pk=session.pk).update(code=code, message=message[:200], plastic=plastic)
    session.refresh_from_db()
    detail = {"state": session.state, "card": session.card_id, "chip": session.chip_uid, "code": code}
    record(actor, f"personalization.{event}", "personalization", session.pk, detail=detail)
    if event in ("spoil", "fail"):
        stop_after_failures(session.agent)
