"""What comes from outside is kept as it came: statements by channel and day, confirmations one by one."""

from collections.abc import Mapping
from datetime import date, datetime

from django.db import connection

from xueka.contexts.payments import api as payments
from xueka.contexts.treasury.domain.formats.lines import OTHER, PAYMENT, Checked, Line, refuse
from xueka.contexts.treasury.models import (
    Confirmation,
    PaybackTold,
    Statement,
    StatementLine,
    ToPost,
)
from xueka.contexts.treasury.services.checking import check
from xueka.contexts.treasury.services.posting import SETTLING
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Refused
from xueka.kernel.money import parse_yuan
from xueka.platform.audit.services import record
from xueka.platform.crypto.sm3 import digest as sm3
from xueka.platform.database.copy import copy_rows
from xueka.platform.files import services as files
from xueka.platform.identity.actor import Actor

_RUN = "city:reconciliation:run"
#: (channel, kind) → the form in which it comes.
FORMS = {
    ("wechat", "trade"): "wechat",
    ("wechat", "fund"): "wechat-fund",
    ("nontax", "trade"): "wechat-nontax",
    ("alipay", "trade"): "alipay",
    ("alipay", "fund"): "alipay-fund",
    ("unionpay", "trade"): "unionpay",
}
_COLUMNS = (
    "statement_id", "line", "channel", "day", "kind", "key", "number", "channel_id", "of_number",
    "of_id", "amount_fen", "fee_millifen", "at", "status", "pay_code",
)  # fmt: skip


def take_statement(actor: Actor, channel: str, kind: str, day: date, raw: bytes, name: str = "") -> Statement:
    """Keep a statement, and its lines if nothing is wrong with it (docs/adr/0190).

    The same again is the same; where another one counts by now, it is kept anew and counts. What a person
    puts in the place of another one is a break (services.reconciling). `raw` empty: the channel says that
    nothing moved on that day. Raises Refused
    `STATEMENT_DAY_OPEN` for today and later, BadInput `STATEMENT_KIND`.
    """
    actor.require(_RUN)
    if (channel, kind) not in FORMS:
        raise BadInput("STATEMENT_KIND", "没有这种账单。", found=f"{channel} {kind}")
    if day >= clock.today():
        raise Refused("STATEMENT_DAY_OPEN", "当天还没有过完，没有账单。", found=str(day))
    digest = sm3(raw).hex()
    with connection.cursor() as cursor:  # a run has read this, or does not claim it
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('treasury.reconcile'))")
    at = Statement.objects.filter(channel=channel, kind=kind, day=day)
    known, counts = at.filter(sm3=digest).first(), at.filter(usable=True).first()
    if known and known == counts:
        return known
    checked, errors = _judge(name or f"{channel}-{day}", raw, channel, kind, day)
    if known and errors:
        return known
    kept = files.store(actor, name or f"{channel}-{kind}-{day}", "application/octet-stream", raw)
    statement = Statement.objects.create(
        channel=channel,
        kind=kind,
        day=day,
        file=kept,
        sm3=digest,
        usable=not errors,
        rows=checked.rows,
        amount_fen=checked.amount_fen,
        refund_fen=checked.refund_fen,
        fee_fen=checked.fee_fen,
        errors=errors[:200],
        at=clock.now(),
        by=actor.username,
    )
    if statement.usable:
        _copy(statement, checked.lines)
        if SETTLING.get(channel) == kind:
            ToPost.objects.create(statement=statement)
    detail = {"sm3": digest, "rows": checked.rows, "errors": len(errors)}
    record(actor, "statement.take", "statement", f"{channel} {kind} {day}", detail=detail)
    return statement


def _judge(
    name: str, raw: bytes, channel: str, kind: str, day: date
) -> tuple[Checked, list[dict[str, object]]]:
    """What is refused whole is kept as well, with the reason: it is what the channel gave."""
    if not raw:
        return Checked(), []
    try:
        checked = check(name, raw, FORMS[channel, kind], day=day)
        if channel == "wechat":
            _demand_our_account(checked)
    except BadInput as error:
        return Checked(), [error.as_dict()]
    return checked, [error.as_dict() for error in checked.errors]


def _demand_our_account(checked: Checked) -> None:
    """Another merchant's statement says nothing of our money."""
    account = payments.account_of("wechat")
    for line in checked.lines:
        if account and line.merchant and line.merchant != account.merchant_id:
            refuse(
                "STATEMENT_MERCHANT",
                f"账单第 {line.line} 行不是我方商户的。",
                where=f"第 {line.line} 行，商户号",
                found=line.merchant[:32],
                expected=account.merchant_id,
            )


def _copy(statement: Statement, lines: list[Line]) -> None:
    rows = (
        (
            statement.id,
            line.line,
            statement.channel,
            statement.day,
            line.kind,
            _key(statement.kind, line),
            line.number,
            line.channel_id,
            line.of_number,
            line.of_id,
            line.amount_fen,
            line.fee_millifen,
            line.at.replace(tzinfo=clock.SHANGHAI),
            line.status[:32],
            line.pay_code,
        )
        for line in lines
        if line.kind != OTHER or (line.fee_millifen and statement.kind == "fund")
    )
    copy_rows(connection, StatementLine._meta.db_table, _COLUMNS, rows)


def _key(kind: str, line: Line) -> str:
    if kind == "fund":
        return line.of_id
    return line.channel_id if line.kind == PAYMENT else line.number


def take_confirmation(actor: Actor, voucher: Mapping[str, str], msg_id: str) -> Confirmation:
    """A confirmation (5996) of the finance office; a repetition is the same one.

    Another content under a known business number changes nothing in the books: it is kept as another word,
    and is a break as long as it is the last one (services.settled). Raises BadInput `CONFIRMATION_FIELD`.
    """
    actor.require(_RUN)
    code, tra_no = voucher.get("PayCode", ""), voucher.get("TraNoBus", "")
    if not code or not tra_no or len(code) > 32 or len(tra_no) > 64:
        where = "PayCode" if not code or len(code) > 32 else "TraNoBus"
        raise BadInput("CONFIRMATION_FIELD", "确认报文缺少字段，或字段过长。", where=where)
    at = moment_of(voucher)
    fen = parse_yuan(voucher.get("Amt", ""))
    if fen <= 0:
        raise BadInput("CONFIRMATION_FIELD", "确认金额应大于零。", where="Amt", found=voucher["Amt"])
    said = {"pay_code": code, "amount_fen": fen, "day": at.date(), "at": at}
    said |= {"pay_mode": voucher.get("PayMode", "")[:2], "channel_id": voucher.get("Hold1", "")[:64]}
    fresh = {**said, "msg_id": msg_id[:32], "received_at": clock.now()}
    found, made = Confirmation.objects.get_or_create(tra_no=tra_no, defaults=fresh)
    if made:
        ToPost.objects.create(confirmation=found)
        return found
    last = found.words.last() or found
    if (last.pay_code, last.amount_fen) != (code, fen):
        found.words.create(
            pay_code=code, amount_fen=fen, day=found.day, msg_id=msg_id[:32], received_at=clock.now()
        )
    return found


def take_payback(voucher: Mapping[str, str]) -> None:
    """What finance says it has paid back of a payment, in its answer to a question (8997)."""
    tra_no, told = voucher.get("TraNoBus", ""), voucher.get("RefundAmt", "")
    if not tra_no or not told or len(tra_no) > 64:
        return
    said = {
        "pay_code": voucher.get("PayCode", "")[:32],
        "refunded_fen": parse_yuan(told),
        "told_at": clock.now(),
    }
    PaybackTold.objects.update_or_create(tra_no=tra_no, defaults=said)


def moment_of(voucher: Mapping[str, str]) -> datetime:
    """When the finance office has confirmed. Raises BadInput `CONFIRMATION_FIELD`."""
    digits = voucher.get("CfmDate", "") + voucher.get("CfmTime", "").replace(":", "")
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=clock.SHANGHAI)
    except ValueError:
        raise BadInput(
            "CONFIRMATION_FIELD", "确认时间无法识别。", where="CfmDate CfmTime", found=digits[:20]
        ) from None
