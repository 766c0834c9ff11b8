"""What the services share: who the company is, which card a message means."""

from xueka.contexts.cards import api as cards
from xueka.kernel.errors import Refused, XuekaError
from xueka.platform.exchange.applying import Message
from xueka.platform.exchange.counterparts import Counterpart, counterpart

CODE = "transit"


def partner() -> Counterpart | None:
    """The transit company, if it has handed over its file."""
    try:
        return counterpart(CODE)
    except XuekaError:
        return None


def card_told(message: Message, number: str, transit_number: str) -> cards.Card:
    """The card of a message, whose key and whose two numbers must belong together. Raises Refused."""
    card = cards.Card.objects.filter(number=number).first()
    if card is None or card.transit_number != transit_number or message.key != f"card:{number}":
        raise Refused(
            "TRANSIT_CARD",
            "消息里的卡号、一卡通号与本方记录不符。",
            found=f"{message.key} {number[:20]} {transit_number[:20]}",
            expected="同一张卡的卡号与一卡通号",
            action="请与一卡通公司核对这张卡。",
        )
    return card
