"""The week as it could be signed now, with everything that stands against it."""

from dataclasses import replace
from datetime import date, timedelta

from xueka.contexts.closing.adapters import receipts, week_rows
from xueka.contexts.closing.domain import figures
from xueka.contexts.closing.domain import weeks as rules
from xueka.contexts.closing.domain.figures import Block, Proposal
from xueka.contexts.closing.domain.transitions import DROPPED, REMITTED, SIGNED
from xueka.contexts.closing.models import Close, ReceiptCollection
from xueka.contexts.closing.queries import OPEN, channels_of, closes, lines_of
from xueka.contexts.payments import api as payments
from xueka.contexts.treasury import api as treasury
from xueka.kernel import clock
from xueka.kernel.calendar import Calendar
from xueka.kernel.errors import BadInput, NotFound
from xueka.platform.identity.scope import EVERYWHERE, Scope

_SHOWN = 3


def proposal(scope: Scope, monday: date, *, lines: bool = True) -> Proposal:
    """Figures of a week, channel by channel, and what blocks signing; of a signed week, what was signed.

    Without `lines` a signed week comes without its payments: their number has no bound.
    Raises NotFound outside the city, BadInput `WEEK_INVALID` where `monday` is none, XuekaError
    `CALENDAR_YEAR_MISSING`.
    """
    if scope.level not in ("system", "city"):
        raise NotFound("WEEK_NOT_FOUND", "没有这一周。", found=monday)
    if monday.weekday() != 0:
        raise BadInput("WEEK_INVALID", "一周从周一开始。", found=monday, expected=rules.monday_of(monday))
    live = closes(scope).filter(monday=monday).exclude(state=DROPPED).first()
    if live and live.state in (SIGNED, REMITTED):
        return _signed(live, lines)
    return propose(monday, live)


def propose(monday: date, live: Close | None) -> Proposal:
    """The open week anew, from what is stored at this moment."""
    sunday, calendar = rules.sunday_of(monday), Calendar.default()
    rows = week_rows.payments_until(sunday)
    accounts = [each for code in payments.CHANNELS if (each := payments.account_of(code))]
    missing = _missing(monday, sunday, rows, accounts)
    channels = figures.sum_up(
        rows,
        week_rows.fees(monday, sunday),
        {each.code: each.fee_bearer for each in accounts},
        missing,
        {each.code: each.settlement for each in accounts},
    )
    breaks = week_rows.breaks(monday, sunday)
    found = Proposal(
        monday,
        sunday,
        rules.name_of(monday),
        rules.due(calendar, monday),
        live.state if live else OPEN,
        live.id if live else None,
        channels,
        tuple(each for each in rows if not each.carried),
        tuple(each for each in rows if each.carried),
        _receipts(monday, sunday),
        breaks.open,
        breaks.unsigned,
        breaks.surplus_fen,
        breaks.shortage_fen,
    )
    return replace(found, blocks=tuple(_blocks(found, missing)))


def _signed(close: Close, lines: bool) -> Proposal:
    breaks = week_rows.breaks(close.monday, close.sunday)
    return Proposal(
        close.monday,
        close.sunday,
        rules.name_of(close.monday),
        close.due,
        close.state,
        close.id,
        channels_of(close),
        lines_of(close) if lines else (),
        receipts=_receipts(close.monday, close.sunday),
        breaks_open=breaks.open,
        breaks_unsigned=breaks.unsigned,
        surplus_fen=breaks.surplus_fen,
        shortage_fen=breaks.shortage_fen,
    )


def _missing(
    monday: date,
    sunday: date,
    rows: list[figures.PaymentFigure],
    accounts: list[payments.ChannelAccount],
) -> dict[str, list[date]]:
    """Days without a usable statement of each channel that we collect by, or have collected by this week.

    A day without orders needs one too: that is how a lost day is found. Direct money has confirmations.
    """
    used = {each.channel for each in rows if each.settlement == payments.MERCHANT}
    used |= {each.code for each in accounts if each.settlement == payments.MERCHANT and each.is_open}
    have = week_rows.settled_days(monday, sunday)
    days = [monday + timedelta(days=n) for n in range(rules.DAYS)]
    found = {channel: [day for day in days if (channel, day) not in have] for channel in sorted(used)}
    return {channel: lacking for channel, lacking in found.items() if lacking}


def _receipts(monday: date, sunday: date) -> figures.Receipts:
    """As a person found them; as they are now, where nobody has or more lack than she said."""
    found = receipts.of_week(monday, sunday)
    kept = ReceiptCollection.objects.filter(monday=monday).first()
    if kept is None or kept.lacking < found.lacking:
        return found
    return figures.Receipts(
        kept.drawn, kept.issued, kept.issued_fen, kept.red, kept.red_fen, kept.lacking, True, kept.note
    )


def _blocks(found: Proposal, missing: dict[str, list[date]]) -> list[Block]:
    """In the order in which they are worked off."""
    blocks = []
    if found.sunday >= clock.today():
        blocks.append(Block("WEEK_RUNNING", f"{found.name} 还没有过完。", f"{found.sunday} 过后再结。"))
    if after := Close.objects.filter(monday__gt=found.monday, seq__isnull=False).order_by("-seq").first():
        text = f"后面的 {rules.name_of(after.monday)} 已经签署，这一周不能再结。"
        action = "不用办理：这一周没有结的款项，列入下一个没有签署的周。"
        blocks.append(Block("WEEK_PASSED", text, action))
    if before := _open_before(found.monday):
        text = f"前面还有 {len(before)} 周没有签署，最早的是 {rules.name_of(before[0])}。"
        blocks.append(Block("WEEK_BEFORE_OPEN", text, "请按先后逐周办理。", len(before)))
    for channel, days in missing.items():
        shown = "、".join(f"{day:%m-%d}" for day in days[:_SHOWN]) + ("等" if len(days) > _SHOWN else "")
        text = f"{payments.CHANNELS[channel]}缺 {len(days)} 天的账单：{shown}。"
        blocks.append(
            Block(
                "STATEMENT_MISSING",
                text,
                "等渠道出账后自动下载，或手工上传；确无账单的，说明并签认。",
                len(days),
            )
        )
    if not _reconciled(found.monday, found.sunday):
        blocks.append(
            Block("NOT_RECONCILED", "本周还没有对账，或对账以后又有新的账单、款项。", "请重新对账。")
        )
    if found.breaks_unsigned:
        text = f"有 {found.breaks_unsigned} 项差错没有签认。"
        blocks.append(Block("BREAK_UNSIGNED", text, "请逐项说明，并由另一人签认。", found.breaks_unsigned))
    if not found.receipts.collected:
        lacking = found.receipts.lacking
        text = f"本周票据还没有领取登记{f'，有 {lacking} 笔缺票' if lacking else ''}。"
        blocks.append(Block("RECEIPTS_NOT_COLLECTED", text, "请核对电子票据后登记。", max(lacking, 1)))
    return blocks


def _open_before(monday: date) -> list[date]:
    first = week_rows.first_day()
    if first is None:
        return []
    wanted = rules.weeks_between(first, monday - timedelta(days=1))
    closed = set(
        Close.objects.filter(monday__lt=monday, state__in=[SIGNED, REMITTED]).values_list("monday", flat=True)
    )
    return [each for each in wanted if each not in closed]


def _reconciled(monday: date, sunday: date) -> bool:
    """Whether a run over the whole week has seen everything that came."""
    run = treasury.runs(EVERYWHERE).filter(first__lte=monday, last__gte=sunday).first()
    news = week_rows.last_news(monday, sunday)
    return run is not None and (news is None or run.at >= news)
