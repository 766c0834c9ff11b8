"""A week is closed: prepared by one person, signed by another, remitted channel by channel."""

from datetime import date

from django.db import connection

from xueka.contexts.closing.adapters.signing import signing_key
from xueka.contexts.closing.domain import figures
from xueka.contexts.closing.domain.figures import Proposal
from xueka.contexts.closing.domain.transitions import CLOSE, DROPPED, PREPARED
from xueka.contexts.closing.models import Close, Line, Part, Remittance
from xueka.contexts.closing.services.proposing import propose
from xueka.contexts.ledger import api as ledger
from xueka.contexts.payments import api as payments
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound, Refused
from xueka.kernel.money import format_yuan
from xueka.platform.audit.services import record
from xueka.platform.crypto import sm3
from xueka.platform.files import services as files
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import second_person
from xueka.platform.identity.scope import EVERYWHERE

FORMAT = 1
_PREPARE, _SIGN, _REMIT = "city:close:prepare", "city:close:sign", "city:close:remit"


def prepare(actor: Actor, monday: date) -> Close:
    """Put a week down as it stands, for another person to sign. The same week again is the same close.

    What was prepared and does not stand any more is dropped and prepared anew. Raises Refused
    `CLOSE_BLOCKED` with every reason, `CLOSE_SIGNED` where it is signed already; BadInput `WEEK_INVALID`.
    """
    actor.require(_PREPARE)
    if monday.weekday() != 0:
        raise BadInput("WEEK_INVALID", "一周从周一开始。", found=monday)
    _one_at_a_time()
    live = Close.objects.filter(monday=monday).exclude(state=DROPPED).first()
    if live and live.state != PREPARED:
        raise Refused("CLOSE_SIGNED", f"{live.number} 已经签署。", found=CLOSE.state(live.state).label)
    found = propose(monday, live)
    _refuse_blocked(found)
    digest = _digest(found)
    if live and live.prepared == digest:
        return live
    if live:
        _drop(actor, live, "内容有变，重新拟制")
    now = clock.now()
    made = Close.objects.create(
        number=f"{found.name}-{Close.objects.filter(monday=monday).count() + 1}",
        monday=monday,
        sunday=found.sunday,
        due=found.due,
        state=CLOSE.initial,
        state_at=now,
        prepared=digest,
        prepared_by=actor.username,
        prepared_at=now,
        to_remit_fen=found.to_remit_fen,
        confirmed_fen=found.confirmed_fen,
    )
    begin(CLOSE, [made.id], actor)
    detail = {"to_remit_fen": found.to_remit_fen, "confirmed_fen": found.confirmed_fen, "digest": digest}
    record(actor, "close.prepare", "close", made.number, detail=detail)
    return made


def drop(actor: Actor, close_id: int, reason: str) -> Close:
    """Take back what was prepared and not signed. Raises NotFound, BadInput `REASON_MISSING`, Refused."""
    actor.require(_PREPARE)
    if not reason.strip():
        raise BadInput("REASON_MISSING", "请写明作废的原因。", where="原因")
    _one_at_a_time()
    found = _locked(actor, close_id)
    _drop(actor, found, reason.strip()[:200])
    found.refresh_from_db()
    return found


def sign(actor: Actor, close_id: int) -> Close:
    """A second person signs what was prepared; the week's books are closed with it.

    Everything is read anew under lock: another content than was prepared is refused (`CLOSE_CHANGED`), as is
    what is blocked meanwhile (`CLOSE_BLOCKED`) and the preparer herself (`SECOND_PERSON`). Raises NotFound.
    """
    actor.require(_SIGN)
    _one_at_a_time()
    found = _locked(actor, close_id)
    CLOSE.target("sign", found.state)
    second_person(
        actor, found.prepared_by, "您自己拟制的周结须由另一人签署。", action="请通知另一位财务人员。"
    )
    _lock_payments([each.payment_id for each in propose(found.monday, found).payments])
    if (ledger.closed_until(EVERYWHERE) or date.min) < found.sunday:
        ledger.close_period(actor, found.sunday)  # whoever posts ends first: what is read below is whole
    now = propose(found.monday, found)
    _refuse_blocked(now)
    if _digest(now) != found.prepared:
        raise Refused(
            "CLOSE_CHANGED",
            "拟制以后内容有了变化，不能签署。",
            found=f"应缴 {format_yuan(now.to_remit_fen)}，直达 {format_yuan(now.confirmed_fen)}",
            expected=f"应缴 {format_yuan(found.to_remit_fen)}，直达 {format_yuan(found.confirmed_fen)}",
            action="请重新拟制，核对后再签署。",
        )
    _keep(found, now)
    _sign(actor, found, now)
    ids = [each.payment_id for each in now.payments if each.settlement == payments.MERCHANT]
    payments.mark_remitted(actor, ids, found.number)
    apply(CLOSE, Close, [found.id], "sign", actor, detail={"seq": found.seq, "digest": found.digest})
    detail = {"seq": found.seq, "digest": found.digest, "to_remit_fen": found.to_remit_fen}
    record(actor, "close.sign", "close", found.number, detail=detail)
    if not found.to_remit_fen:
        apply(CLOSE, Close, [found.id], "remit", actor, reason="没有应上缴的款项")
    found.refresh_from_db()
    return found


def record_remittance(actor: Actor, close_id: int, channel: str, slip_number: str, on: date) -> Remittance:
    """A channel's money was paid to the treasury under this 一般缴款书 number, on that day; once.

    The same again is the same. Raises NotFound; BadInput `SLIP_NUMBER`, `REMITTANCE_DAY`; Refused
    `NOTHING_TO_REMIT`, `REMITTED_ALREADY`, `SLIP_NUMBER_USED`.
    """
    actor.require(_REMIT)
    number = slip_number.strip()
    if not 0 < len(number) <= 40 or not number.isprintable():
        raise BadInput("SLIP_NUMBER", "请填一般缴款书号。", found=number[:40], expected="1 至 40 个字符")
    _one_at_a_time()
    close = _locked(actor, close_id)
    if close.state in (PREPARED, DROPPED):
        CLOSE.target("remit", close.state)
    part = close.parts.filter(channel=channel, settlement=payments.MERCHANT, to_remit_fen__gt=0).first()
    if part is None:
        raise Refused("NOTHING_TO_REMIT", "这个渠道本周没有应上缴的款项。", found=channel[:16])
    known = Remittance.objects.filter(part=part).first()
    if known:
        if (known.slip_number, known.on) == (number, on):
            return known
        raise Refused(
            "REMITTED_ALREADY",
            "这个渠道本周的款项已经登记上缴。",
            found=known.slip_number,
            action="登记后不能更改。填错的，请把正确的书号书面告知财政核对，与本周周结一并留存。",
        )
    if not close.sunday < on <= clock.today():
        said = f"{close.sunday.month}月{close.sunday.day}日之后，到今天为止"
        raise BadInput("REMITTANCE_DAY", "上缴日期不对。", where="上缴日期", found=on, expected=said)
    if used := Remittance.objects.filter(slip_number=number).select_related("part__close").first():
        raise Refused("SLIP_NUMBER_USED", "这个缴款书号已经用过。", found=used.part.close.number)
    made = Remittance.objects.create(
        part=part, slip_number=number, on=on, amount_fen=part.to_remit_fen, at=clock.now(), by=actor.username
    )
    postings = [
        ledger.Posting(ledger.TREASURY, made.amount_fen, channel, close.number),
        ledger.Posting(ledger.BANK, -made.amount_fen, channel, close.number),
    ]
    about = {"close": close.number, "slip_number": number, "paid_on": on.isoformat()}
    ledger.post(actor, f"remit:{close.number}:{channel}", "remittance", ledger.open_day(on), postings, about)
    detail = {"channel": channel, "slip_number": number, "amount_fen": made.amount_fen, "on": on.isoformat()}
    record(actor, "close.remittance", "close", close.number, detail=detail)
    if not close.parts.filter(to_remit_fen__gt=0, remittance=None).exists():
        apply(CLOSE, Close, [close.id], "remit", actor)
    return made


def _refuse_blocked(found: Proposal) -> None:
    if found.blocks:
        raise Refused(
            "CLOSE_BLOCKED",
            f"{found.name} 还不能结：" + "".join(each.text for each in found.blocks),
            found=f"{len(found.blocks)} 项未完",
            action=found.blocks[0].action,
            blocks=[each.code for each in found.blocks],
        )


def _keep(close: Close, found: Proposal) -> None:
    """Parts and lines; that no payment is in two closes is the database's word."""
    for each in found.channels:
        part = Part.objects.create(
            close=close,
            channel=each.channel,
            settlement=each.settlement,
            orders=each.orders,
            gross_fen=each.gross_fen,
            refunded_fen=each.refunded_before_fen,
            to_remit_fen=each.to_remit_fen,
            confirmed_fen=each.confirmed_fen,
            fees_fen=each.fees_fen,
            fee_bearer=each.fee_bearer,
        )
        Line.objects.bulk_create(
            (
                Line(
                    part=part,
                    payment_id=line.payment_id,
                    channel=line.channel,
                    settlement=line.settlement,
                    gross_fen=line.gross_fen,
                    refunded_fen=line.refunded_fen,
                    remit_fen=line.to_remit_fen,
                    confirmed_fen=line.confirmed_fen,
                )
                for line in found.payments
                if (line.channel, line.settlement) == (each.channel, each.settlement)
            ),
            batch_size=2000,
        )


def _sign(actor: Actor, close: Close, found: Proposal) -> None:
    """The document with its place in the chain, and the signature over its bytes."""
    key = signing_key()
    last = Close.objects.filter(seq__isnull=False).order_by("-seq").first()
    close.seq = (last.seq or 0) + 1 if last else 1
    close.previous = last.digest if last else ""
    close.signed_by, close.signed_at = actor.username, clock.now()
    content = {
        **figures.content_of(found),
        "format": FORMAT,
        "number": close.number,
        "seq": close.seq,
        "previous": close.previous,
        "prepared_by": close.prepared_by,
        "prepared_at": close.prepared_at.isoformat(),
        "signed_by": close.signed_by,
        "signed_at": close.signed_at.isoformat(),
        "books": ledger.balances(EVERYWHERE, found.sunday),
        "public_key": key.public.to_pem().decode("ascii"),
    }
    raw = figures.canonical(content)
    close.digest, close.fingerprint = sm3.hexdigest(raw), key.public.fingerprint
    close.signature = key.sign(raw).hex()
    close.document = files.store(actor, f"周结-{close.number}.json", "application/json", raw)
    Close.objects.filter(id=close.id).update(
        seq=close.seq,
        previous=close.previous,
        digest=close.digest,
        document=close.document,
        signature=close.signature,
        fingerprint=close.fingerprint,
        signed_by=close.signed_by,
        signed_at=close.signed_at,
    )


def _digest(found: Proposal) -> str:
    return sm3.hexdigest(figures.canonical(figures.content_of(found)))


def _drop(actor: Actor, found: Close, reason: str) -> None:
    apply(CLOSE, Close, [found.id], "drop", actor, reason=reason)
    record(actor, "close.drop", "close", found.number, detail={"reason": reason})


def _one_at_a_time() -> None:
    """Closes are made one after the other: each stands on the one before."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('closing.close'))")


def _lock_payments(ids: list[int]) -> None:
    """A refund asked for meanwhile waits, and then goes by 退付."""
    list(payments.payment_rows(EVERYWHERE).filter(id__in=ids).order_by("id").select_for_update(of=("self",)))


def _locked(actor: Actor, close_id: int) -> Close:
    found = Close.objects.visible_to(actor.scope).select_for_update(of=("self",)).filter(id=close_id).first()
    if found is None:
        raise NotFound("CLOSE_NOT_FOUND", "没有这个周结。", found=close_id)
    return found
