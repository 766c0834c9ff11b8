"""What is done at the counter, one step of one card at a time."""

from collections.abc import Callable

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from xueka.contexts.cards import api as cards
from xueka.contexts.personalization import api as personalization
from xueka.contexts.printing import api as printing
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.portals.counter import desk, taken
from xueka.kernel.errors import Refused
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_OPEN_SESSION = ("waiting", "running", "unknown", "probing")


@require_POST
@portal_view("district:card:issue")
def issue(request: StaffRequest, number: str) -> HttpResponse:
    """The intent: numbers first; then the chip is asked for, where the kind has one."""
    found = cards.application(request.actor.scope, number)
    made = cards.issue_at_counter(request.actor, found.id, request.POST.get("blank", ""))
    taken.seize(request.actor, number)
    if made.kind.has_chip:
        _write(request, cards.card(request.actor.scope, made.id))
    return redirect(reverse("counter:card", args=[made.number]))


@require_POST
@portal_view("district:card:issue")
def choose(request: StaffRequest) -> HttpResponse:
    """Work at another printer or reader."""
    printer = request.POST.get("printer", "")
    if not printer.isdecimal():
        raise Http404
    found = desk.choose(request, int(printer), request.POST.get("reader", "")[:100])
    flash(request, f"现在用 {found.name}。")
    return redirect(reverse("counter:home"))


@require_POST
@portal_view("district:card:issue")
def resume(request: StaffRequest) -> HttpResponse:
    """The counter was stopped by failures in a row, and may go on."""
    agent = desk.needed(request).agent
    if agent is None:
        raise Http404
    personalization.resume(request.actor, agent.pk, request.POST.get("note", ""))
    flash(request, f"{agent.name}：已恢复。")
    return redirect(reverse("counter:home"))


@require_POST
@portal_view("district:card:issue")
def act(request: StaffRequest, number: str, verb: str) -> HttpResponse:
    """One step of one card; what it needs to be told comes with the form."""
    if verb not in _VERBS:
        raise Http404
    found = cards.card(request.actor.scope, number)
    taken.seize(request.actor, found.application.number)
    onward = _VERBS[verb](request, found)
    return redirect(onward or reverse("counter:card", args=[number]))


def _write(request: StaffRequest, card: cards.Card) -> str:
    agent, reader = desk.reader_needed(desk.needed(request))
    whole = request.POST.get("whole") == "1"  # plastic as its maker delivers it
    personalization.open_session(request.actor, card.id, agent.pk, reader, whole=whole)
    return ""


def _abort(request: StaffRequest, card: cards.Card) -> str:
    session = _session(request, card)
    if session is None:
        raise Refused("SESSION_NONE", "没有正在写的卡。", action="请刷新页面。")
    personalization.abort(request.actor, session.pk, request.POST.get("note", ""))
    return ""


def _print(request: StaffRequest, card: cards.Card) -> str:
    given, printer = request.POST, desk.needed(request).printer
    reason, note = given.get("reason", ""), given.get("note", "")
    personalization.print_face(request.actor, card.id, printer.pk, reason=reason, note=note)
    return ""


def _unprint(request: StaffRequest, card: cards.Card) -> str:
    printing.cancel_print(request.actor, _job(request, card).pk)
    return ""


def _settle(request: StaffRequest, card: cards.Card) -> str:
    printed = request.POST.get("printed") == "1"
    printing.settle_print(request.actor, _job(request, card).pk, printed, request.POST.get("note", ""))
    return ""


def _finish(request: StaffRequest, card: cards.Card) -> str:
    personalization.finish(request.actor, card.id)
    return ""


def _spoil(request: StaffRequest, card: cards.Card) -> str:
    given, printer = request.POST, desk.needed(request).printer
    reason, note = given.get("reason", ""), given.get("note", "")
    personalization.throw_away(request.actor, card.id, printer.pk, reason, note)
    flash(request, f"{card.number} 已作废。请把卡剪角，放入废卡盒。", "wait")
    return reverse("counter:application", args=[card.application.number])


def _scrap(request: StaffRequest, card: cards.Card) -> str:
    personalization.scrap(request.actor, card.id, desk.needed(request).printer.pk)
    return reverse("counter:application", args=[card.application.number])


def _give(request: StaffRequest, card: cards.Card) -> str:
    given = cards.give(
        request.actor,
        card.id,
        request.POST.get("receiver", ""),
        agreed=request.POST.get("agreed") == "1",
    )
    flash(request, f"{given.student.name}的卡 {given.number} 已发放。")
    return ""


_VERBS: dict[str, Callable[[StaffRequest, cards.Card], str]] = {
    "write": _write,
    "abort": _abort,
    "print": _print,
    "unprint": _unprint,
    "settle": _settle,
    "finish": _finish,
    "spoil": _spoil,
    "scrap": _scrap,
    "give": _give,
}


def _session(request: StaffRequest, card: cards.Card) -> personalization.Session | None:
    rows = personalization.sessions(request.actor.scope).filter(card=card, state__in=_OPEN_SESSION)
    return rows.first()


def _job(request: StaffRequest, card: cards.Card) -> printing.PrintJob:
    jobs = printing.jobs_of(request.actor.scope, card.id)
    if not jobs:
        raise Refused("JOB_NONE", "没有打印任务。", action="请刷新页面。")
    return jobs[0]
