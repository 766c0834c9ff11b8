"""A receipt step by step: its number and what it says, issued, kept with its signature verified."""

import secrets

from xueka.contexts.payments import api as payments
from xueka.contexts.receipts.domain import einvoice
from xueka.contexts.receipts.domain.codes import PAY_MODES, check_code
from xueka.contexts.receipts.domain.einvoice import Content, Terms
from xueka.contexts.receipts.domain.transitions import DUE, ISSUED, LACKING, NUMBERED, RECEIPT
from xueka.contexts.receipts.models import Receipt, Seal
from xueka.contexts.receipts.ports import Downloaded, SealKey
from xueka.contexts.receipts.services import stock
from xueka.contexts.receipts.services.common import MANAGE, WORKER, locked
from xueka.contexts.receipts.services.verifying import problems
from xueka.contexts.treasury import api as treasury
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.crypto.sm2 import PublicKey
from xueka.platform.files import services as files
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE

WAITS = "WAITS_FOR_EARLIER"


def before(receipt: Receipt) -> bool:
    """Is an earlier one of the payment not issued yet? Its number would be given again."""
    return Receipt.objects.filter(payment=receipt.payment_id, id__lt=receipt.id, state__in=LACKING).exists()


def number_from_stock(receipt_id: int, terms: Terms) -> bool:
    """The next number of the stock; whether there was one."""
    found = locked(receipt_id)
    if found.state != DUE:
        return True
    number = stock.take(terms.code)
    if number:
        _number(found, terms, number)
    return bool(number)


def number(receipt_id: int, terms: Terms, given: str) -> None:
    """The number that the office has given for its payment code."""
    found = locked(receipt_id)
    if found.state == DUE:
        _number(found, terms, given)


def mark_issued(receipt_id: int) -> None:
    found = locked(receipt_id)
    if found.state == NUMBERED:
        now = clock.now()
        Receipt.objects.filter(id=found.id).update(
            issued_at=now, next_try_at=now, tries=0, refused="", last_error=""
        )
        apply(RECEIPT, Receipt, [found.id], "issue", WORKER, detail={"number": found.number})


def keep(receipt_id: int, key: SealKey, downloaded: Downloaded) -> None:
    """Keep the document as it came, if it is what was sent and the seal's signature holds.

    Raises Refused `RECEIPT_NOT_GENUINE`: nothing of it is kept, and it is asked for again.
    """
    found = locked(receipt_id)
    if found.state != ISSUED:
        return
    draft = bytes(found.draft)
    wrong = problems(draft, downloaded.content, downloaded.signature, key.pem, key.seal_id)
    if wrong:
        raise Refused(
            "RECEIPT_NOT_GENUINE",
            f"下载的票据没有通过核验：{'、'.join(wrong)}。",
            found=found.number,
            action="请与财政非税平台核对，勿交给缴款人。",
        )
    signature = einvoice.read_signature(downloaded.signature)
    name = f"{found.code}_{found.number}.xml"
    file = files.store(WORKER, name, "application/xml", downloaded.content)
    Receipt.objects.filter(id=found.id).update(
        file=file,
        signature=downloaded.signature,
        signed_at=signature.at.replace(tzinfo=clock.SHANGHAI),
        seal=_seal(key),
        page_url=downloaded.page_url[:300],
        next_try_at=None,
        refused="",
        last_error="",
    )
    apply(RECEIPT, Receipt, [found.id], "keep", WORKER, detail={"number": found.number})


def retry(actor: Actor, receipt_id: int) -> Receipt:
    """Have one that waits tried again at once. Raises NotFound."""
    actor.require(MANAGE)
    found = Receipt.objects.visible_to(actor.scope).filter(id=receipt_id).first()
    if found is None:
        raise NotFound("RECEIPT_NOT_FOUND", "没有这张票据。", found=receipt_id)
    if Receipt.objects.filter(id=found.id).exclude(next_try_at=None).update(next_try_at=clock.now(), tries=0):
        record(actor, "receipt.retry", "receipt", str(found.id), detail={"order": found.order.number})
    found.refresh_from_db()
    return found


def _number(found: Receipt, terms: Terms, given: str) -> None:
    """Number and document in one step: from here on the same bytes are sent, however often."""
    if not (len(given) == 10 and given.isascii() and given.isdigit()):
        raise BadInput("RECEIPT_NUMBER", "财政部门给的票号不对。", found=given[:20], expected="10 位数字")
    check = check_code(secrets.randbelow)
    blue = found.blue
    content = Content(
        number=given,
        check_code=check,
        pay_code=found.pay_code,
        total_fen=found.amount_fen,
        at=clock.local(clock.now()),
        payer=found.order.student.name,
        pay_mode=_pay_mode(found),
        remark=f"订单 {found.order.number}",
        related_code=blue.code if blue else "",
        related_number=blue.number if blue else "",
        fine=found.order.fine,
    )
    draft = einvoice.write(terms, content)
    Receipt.objects.filter(id=found.id).update(draft=draft, refused="", last_error="")
    given_to = {"code": terms.code, "number": given, "check_code": check}
    also = {name: {found.id: value} for name, value in given_to.items()}
    apply(RECEIPT, Receipt, [found.id], "number", WORKER, detail={"number": given}, also=also)


def _pay_mode(receipt: Receipt) -> str:
    """As finance has it for direct money, else by the channel."""
    if receipt.payment.settlement != payments.DIRECT:
        return PAY_MODES.get(receipt.payment.channel, "")
    rows = treasury.confirmations(EVERYWHERE).filter(pay_code=receipt.pay_code).order_by("id")
    return rows.values_list("pay_mode", flat=True).first() or ""


def _seal(key: SealKey) -> Seal:
    fingerprint = PublicKey.from_pem(key.pem.encode()).fingerprint
    fresh = {"pem": key.pem, "seal_id": key.seal_id, "name": key.name, "since": clock.now()}
    found, made = Seal.objects.get_or_create(fingerprint=fingerprint, defaults=fresh)
    if made:
        record(WORKER, "receipt.seal", "receipt", key.seal_id, detail={"name": key.name, "key": fingerprint})
    return found
