"""领取票据: what was drawn and issued in a week, as a person found it."""

from datetime import date

from xueka.contexts.closing.adapters import receipts
from xueka.contexts.closing.domain import weeks as rules
from xueka.contexts.closing.models import ReceiptCollection
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Refused
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor


def collect_receipts(actor: Actor, monday: date, note: str = "") -> ReceiptCollection:
    """Record the receipts of a week that is over: drawn from the finance office, issued to payers, lacking.

    Where payments still lack one, `note` says why. May be done again; the last one counts. Raises BadInput
    `WEEK_INVALID`, Refused `WEEK_RUNNING`, `RECEIPTS_LACKING`.
    """
    actor.require("city:close:prepare")
    if monday.weekday() != 0:
        raise BadInput("WEEK_INVALID", "一周从周一开始。", found=monday, expected=rules.monday_of(monday))
    sunday = rules.sunday_of(monday)
    if sunday >= clock.today():
        raise Refused("WEEK_RUNNING", f"{rules.name_of(monday)} 还没有过完。", action=f"{sunday} 过后再办。")
    found = receipts.of_week(monday, sunday)
    if found.lacking and not note.strip():
        raise Refused(
            "RECEIPTS_LACKING",
            f"还有 {found.lacking} 笔缴款没有电子票据。",
            action="请等系统补开，或写明原因后登记。",
        )
    made = ReceiptCollection.objects.create(
        monday=monday,
        drawn=found.drawn,
        issued=found.issued,
        issued_fen=found.issued_fen,
        red=found.red,
        red_fen=found.red_fen,
        lacking=found.lacking,
        note=note.strip()[:200],
        at=clock.now(),
        by=actor.username,
    )
    detail = {"drawn": made.drawn, "issued": made.issued, "red": made.red, "lacking": made.lacking}
    record(actor, "close.receipts", "week", rules.name_of(monday), detail=detail)
    return made
