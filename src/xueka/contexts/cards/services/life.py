"""A card in its student's hands: lost, found, lifted, cancelled; and the account."""

from xueka.contexts.cards.domain import states as s
from xueka.contexts.cards.domain.transitions import ACCOUNT, CARD
from xueka.contexts.cards.models import Application, Card, CardAccount
from xueka.contexts.cards.services.common import fetch_cards, required_text
from xueka.kernel.errors import NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor


def report_lost(actor: Actor, card_id: int, note: str = "") -> Card:
    """Block a card at once in our own system; when the others follow, `lost_effects` says."""
    return _one("report_lost", actor, card_id, note)


def lift(actor: Actor, card_id: int, note: str = "") -> Card:
    """A lost card is back with its student and lives again.

    Raises Refused `REPLACEMENT_OPEN` while its replacement is under way: one of the two has to be given up.
    """
    _lock_account_of(actor, card_id)
    replacement = (
        Application.objects.filter(old_card=card_id, reason="lost")
        .exclude(state__in=s.CLOSED_APPLICATION)
        .first()
    )
    if replacement is not None:
        raise Refused(
            "REPLACEMENT_OPEN",
            f"补卡申领 {replacement.number} 正在办理，不能解挂。",
            action="请先撤回该申领；已受理的由市级取消。",
            application=replacement.number,
        )
    return _one("lift", actor, card_id, note)


def report_found(actor: Actor, card_id: int, note: str = "") -> Card:
    """Somebody has brought a lost or dead card. A lost one may then be lifted, a dead one destroyed."""
    return _one("found", actor, card_id, note)


def cancel(actor: Actor, card_id: int, reason: str) -> Card:
    """End a card for good."""
    return _one("cancel", actor, card_id, required_text(reason, "注销的理由"))


def close_account(actor: Actor, account_id: int, reason: str) -> CardAccount:
    """Close an account that has neither a card on its way or in use nor an open application."""
    reason = required_text(reason, "销户的理由")
    account = _account(actor, account_id)
    alive = account.cards.filter(state__in=[*s.LIVE, *s.BEFORE_HAND_OUT])
    working = account.applications.exclude(state__in=s.CLOSED_APPLICATION)
    if alive.exists() or working.exists():
        raise Refused(
            "ACCOUNT_IN_USE",
            f"卡账户 {account.number} 还有在用、在途的卡或在办的申领，不能销户。",
            action="请先注销卡、撤回或取消申领。",
        )
    return _move_account("close", actor, account, reason)


def reopen_account(actor: Actor, account_id: int, reason: str) -> CardAccount:
    """Open a closed account again, say for a student who comes back."""
    return _move_account(
        "reopen", actor, _account(actor, account_id), required_text(reason, "恢复账户的理由")
    )


def _one(event: str, actor: Actor, card_id: int, note: str) -> Card:
    [card] = fetch_cards(actor, [card_id])
    apply(CARD, Card, [card.id], event, actor, reason=note.strip())
    record(
        actor, f"card.{event}", "card", card.number, detail={"note": note.strip()} if note.strip() else None
    )
    card.refresh_from_db()
    return card


def _lock_account_of(actor: Actor, card_id: int) -> None:
    """Applications are opened under the account's lock, so under it none appears unseen."""
    [card] = fetch_cards(actor, [card_id], lock=False)
    CardAccount.objects.select_for_update().get(id=card.account_id)


def _account(actor: Actor, account_id: int) -> CardAccount:
    visible = CardAccount.objects.visible_to(actor.scope).select_for_update(of=("self",))
    account = visible.filter(id=account_id).first()
    if account is None:
        raise NotFound("ACCOUNT_NOT_FOUND", "没有这个卡账户。")
    return account


def _move_account(event: str, actor: Actor, account: CardAccount, reason: str) -> CardAccount:
    apply(ACCOUNT, CardAccount, [account.id], event, actor, reason=reason)
    record(actor, f"account.{event}", "account", account.number, detail={"reason": reason})
    account.refresh_from_db()
    return account
