"""Orders, payments at the channels, refunds (docs/adr/0171-0174, docs/interfaces/channels.md). The only door
into this context.
"""

from xueka.contexts.payments.adapters.finance import BUSY as FINANCE_BUSY
from xueka.contexts.payments.adapters.finance import DONE as FINANCE_DONE
from xueka.contexts.payments.adapters.finance import ask as ask_finance
from xueka.contexts.payments.adapters.finance import card as finance_card
from xueka.contexts.payments.adapters.finance import read_frame
from xueka.contexts.payments.calling import (
    PaymentStart,
    confirmed_on,
    look_into,
    look_into_refund,
    pay,
    read_confirmation,
    send_refund,
    statement,
    take_notice,
)
from xueka.contexts.payments.domain import cnnontax
from xueka.contexts.payments.domain.tariff import REASONS, Fee, Tariff
from xueka.contexts.payments.domain.tariff import Line as TariffLine
from xueka.contexts.payments.domain.transitions import (
    ORDER,
    PAYMENT,
    REFUND,
    REFUND_UNDECIDED,
    UNDECIDED,
)
from xueka.contexts.payments.invariants import INVARIANTS
from xueka.contexts.payments.jobs import sweep
from xueka.contexts.payments.models import (
    CHANNELS,
    DIRECT,
    FEE_BEARERS,
    MERCHANT,
    OUTCOMES,
    PAYBACK_WAY,
    SETTLEMENTS,
    STRAYS,
    WAYS,
    ChannelAccount,
    Notice,
    Order,
    Payment,
    Refund,
    ScopedByOrder,
)
from xueka.contexts.payments.ports import NOTICE_LIMIT, ChannelRefused, ChannelUnavailable, Told, ToldRefund
from xueka.contexts.payments.queries import (
    SettledOrder,
    accounts,
    notice_outcomes,
    notice_rows,
    notices_of,
    order,
    order_rows,
    orders,
    orders_of,
    payment_rows,
    payments_of,
    refund_of,
    refund_rows,
    refundable_fen,
    refunds_of,
    settled_after,
)
from xueka.contexts.payments.services.channels import account_of, set_channel
from xueka.contexts.payments.services.introducing import introduce
from xueka.contexts.payments.services.orders import cancel_order, create_order
from xueka.contexts.payments.services.refunding import again as refund_again
from xueka.contexts.payments.services.refunding import hear_refund, refund
from xueka.contexts.payments.services.settling import hear as hear_payment
from xueka.contexts.payments.services.settling import mark_remitted
from xueka.contexts.payments.services.tariffs import adopt_tariff, quote, tariff_on, tariffs
from xueka.contexts.payments.standing import standings as channel_standings

__all__ = [
    "CHANNELS",
    "DIRECT",
    "FEE_BEARERS",
    "FINANCE_BUSY",
    "FINANCE_DONE",
    "INVARIANTS",
    "MERCHANT",
    "NOTICE_LIMIT",
    "ORDER",
    "OUTCOMES",
    "PAYBACK_WAY",
    "PAYMENT",
    "REASONS",
    "REFUND",
    "REFUND_UNDECIDED",
    "SETTLEMENTS",
    "STRAYS",
    "UNDECIDED",
    "WAYS",
    "ChannelAccount",
    "ChannelRefused",
    "ChannelUnavailable",
    "Fee",
    "Notice",
    "Order",
    "Payment",
    "PaymentStart",
    "Refund",
    "ScopedByOrder",
    "SettledOrder",
    "Tariff",
    "TariffLine",
    "Told",
    "ToldRefund",
    "account_of",
    "accounts",
    "adopt_tariff",
    "ask_finance",
    "cancel_order",
    "channel_standings",
    "cnnontax",
    "confirmed_on",
    "create_order",
    "finance_card",
    "hear_payment",
    "hear_refund",
    "introduce",
    "look_into",
    "look_into_refund",
    "mark_remitted",
    "notice_outcomes",
    "notice_rows",
    "notices_of",
    "order",
    "order_rows",
    "orders",
    "orders_of",
    "pay",
    "payment_rows",
    "payments_of",
    "quote",
    "read_confirmation",
    "read_frame",
    "refund",
    "refund_again",
    "refund_of",
    "refund_rows",
    "refundable_fen",
    "refunds_of",
    "send_refund",
    "set_channel",
    "settled_after",
    "statement",
    "sweep",
    "take_notice",
    "tariff_on",
    "tariffs",
]
