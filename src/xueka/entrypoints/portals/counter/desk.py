"""The desk somebody works at: which printer, which reader; and what waits there."""

from dataclasses import dataclass

from django.db.models import QuerySet

from xueka.contexts.cards import api as cards
from xueka.contexts.personalization import api as personalization
from xueka.contexts.printing import api as printing
from xueka.contexts.replacements import api as replacements
from xueka.entrypoints.design.ui import Badge
from xueka.kernel.errors import NotFound, Refused
from xueka.platform.identity.scope import Scope
from xueka.platform.identity.sessions import StaffRequest

_KEY = "counter_desk"
_PRINTER_WORDS = {"idle": "空闲", "processing": "打印中", "stopped": "已停止", "gone": "连不上"}
_PRINTER_TONES = {"idle": "ok", "processing": "progress"}


@dataclass(frozen=True, slots=True)
class Desk:
    """A printer, its agent (None while it is not enrolled) and the reader in use (None without one)."""

    printer: printing.Printer
    agent: personalization.Agent | None
    readers: list[personalization.ReaderView]
    reader: personalization.ReaderView | None


def chosen(request: StaffRequest) -> Desk | None:
    """What was chosen in this session, else the only (or first) printer in use and its first reader."""
    kept = request.session.get(_KEY, {})
    open_ = list(printing.printers(request.actor.scope).filter(is_open=True))
    printer = next((each for each in open_ if each.pk == kept.get("printer")), open_[0] if open_ else None)
    if printer is None:
        return None
    try:
        agent = personalization.by_code(printer.agent)
    except NotFound:
        return Desk(printer, None, [], None)
    readers = personalization.readers(agent.pk)
    first = readers[0] if readers else None
    return Desk(
        printer, agent, readers, next((each for each in readers if each.name == kept.get("reader")), first)
    )


def choose(request: StaffRequest, printer_id: int, reader: str) -> printing.Printer:
    """Work at this printer and reader from now on. Raises NotFound."""
    found = printing.printer(request.actor.scope, printer_id)
    request.session[_KEY] = {"printer": found.pk, "reader": reader}
    return found


def printer_badge(printer: printing.Printer) -> Badge:
    """What a printer last said of itself, while that is fresh."""
    said = "" if printer.silent else printer.said_state
    return Badge(_PRINTER_WORDS.get(said, "没有消息"), _PRINTER_TONES.get(said, "bad"))


def needed(request: StaffRequest) -> Desk:
    """The desk. Raises Refused `NO_PRINTER`."""
    found = chosen(request)
    if found is None:
        raise Refused("NO_PRINTER", "这个柜台还没有打印机。", action="请先在“打印机”页登记。")
    return found


def reader_needed(desk: Desk) -> tuple[personalization.Agent, str]:
    """The agent and its reader. Raises Refused `NO_AGENT`, `NO_READER`."""
    if desk.agent is None:
        raise Refused(
            "NO_AGENT",
            "这台打印机的发卡代理没有注册。",
            found=desk.printer.agent,
            action="请在柜台电脑上启动发卡代理并注册。",
        )
    if desk.reader is None:
        raise Refused("NO_READER", "发卡代理没有读卡器。", action="请接上读卡器。")
    return desk.agent, desk.reader.name


def queue(scope: Scope) -> QuerySet[cards.Application]:
    """What waits to be made at a counter, the longest waiting first."""
    return cards.application_rows(scope).filter(state=cards.AT_COUNTER).order_by("updated_at", "id")


def at_work(scope: Scope) -> QuerySet[cards.Card]:
    """Cards between the intent and the hand; those that are posted have a page of their own."""
    rows = cards.card_rows(scope).filter(state__in=[cards.ISSUING, cards.READY])
    posted = replacements.parcels(scope).values("application")
    return rows.exclude(state=cards.READY, application__in=posted).order_by("state_at", "id")
