"""Which plastic may be written for a card: a chip that nobody has used, of the blank that belongs to it."""

from xueka.contexts.cards import api as cards
from xueka.contexts.numbers import api as numbers
from xueka.contexts.personalization.domain.transitions import HOLDING
from xueka.contexts.personalization.models import Session
from xueka.contexts.printing import api as printing
from xueka.platform.identity.scope import EVERYWHERE

#: Hexadecimal digits of the shortest and the longest UID (ISO/IEC 14443-3: 4, 7 or 10 bytes). A stranger may
#: answer anything.
SHORTEST_UID, LONGEST_UID = 8, 20


def identified(session: Session, chip: str) -> str:
    """Why the chip on the reader may not be used, or nothing; then it is the session's from now on."""
    if not chip:
        return "读不到芯片UID"
    if len(chip) < SHORTEST_UID:
        return f"芯片UID太短（{len(chip) // 2} 字节）：不是我们的空白卡"
    if len(chip) > LONGEST_UID:
        return f"芯片UID太长（{len(chip) // 2} 字节）：不是我们的空白卡"
    if session.chip_uid and session.chip_uid != chip:
        return f"这不是刚才那张卡：芯片 {chip}，应为 {session.chip_uid}"
    why = _not_free(session, chip)
    if not why:
        Session.objects.filter(pk=session.pk).update(chip_uid=chip)
        session.chip_uid = chip
    return why


def _not_free(session: Session, chip: str) -> str:
    assert session.card_id is not None
    used = Session.objects.filter(chip_uid=chip, purpose="make", state__in=HOLDING)
    if used.exclude(pk=session.pk).exists():
        return f"芯片 {chip} 已用过，不能再写"
    others = [card for card in cards.cards_numbered(EVERYWHERE, chip) if card.pk != session.card_id]
    if others:
        return f"芯片 {chip} 已在学生卡 {others[0].number} 上"
    return _not_in_stock(session, chip)


def _not_in_stock(session: Session, chip: str) -> str:
    card_id = session.card_id
    assert card_id is not None
    own, blank = numbers.blank_of(card_id), numbers.blank_with(chip)
    if own is not None and own.uid not in ("", chip):
        return f"应使用批号 {own.lot} 第 {own.position} 张空白卡，读卡器上是另一张"
    elsewhere = numbers.why_not_here(chip, session.agent.district or numbers.CITY)
    if blank is None:
        return f"芯片 {chip} 已登记为废卡" if printing.is_spoilt(chip) else elsewhere
    if blank.card_id == card_id:
        return ""
    place = f"批号 {blank.lot} 第 {blank.position} 张"
    if blank.state != "in_stock":
        return f"这张空白卡（{place}）已登记为{blank.label}"
    if blank.transit_number:
        return f"这张空白卡（{place}）自带一卡通号，不是为这张卡准备的"
    return elsewhere
