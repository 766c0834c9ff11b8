"""The counter: left what waits, in the middle the card and its next step, right the machines."""

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from xueka.contexts.cards import api as cards
from xueka.contexts.interop import api as interop
from xueka.contexts.numbers import api as numbers
from xueka.contexts.personalization import api as personalization
from xueka.contexts.printing import api as printing
from xueka.contexts.replacements import api as replacements
from xueka.entrypoints.design import formats, states
from xueka.entrypoints.design.ui import Action, Badge, Confirm, Empty, Fact, Gauge
from xueka.entrypoints.portals.counter import desk, taken
from xueka.entrypoints.portals.counter import work as working
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_SHOWN = 50


@require_GET
@portal_view("district:card:issue")
def home(request: StaffRequest) -> HttpResponse:
    """What is at work first, else what has waited the longest, of both what no colleague has; a scan or a
    name picks one.
    """
    actor, scope = request.actor, request.actor.scope
    if asked := request.GET.get("q", "").strip():
        rows = cards.application_rows(scope).filter(
            state=cards.AT_COUNTER, id__in=[each.id for each in cards.applications(scope, search=asked)]
        )
        found = list(rows[:2])
        if len(found) == 1:
            return redirect(reverse("counter:application", args=[found[0].number]))
    else:
        at_work = list(desk.at_work(scope).select_related("application")[:_SHOWN])
        others = taken.colleagues(actor, [each.application.number for each in at_work])
        for each in at_work:
            if each.application.number not in others:
                return card(request, each.number)
        queue = list(desk.queue(scope)[:_SHOWN])
        others = taken.colleagues(actor, [each.number for each in queue])
        for paper in [*(each for each in queue if each.number not in others), *queue][:1]:
            return application(request, paper.number)
    return render(
        request, "counter/home.html", {**_frame(request, ""), "asked": asked, "empty": _empty(asked)}
    )


@require_GET
@portal_view("district:card:issue")
def application(request: StaffRequest, number: str) -> HttpResponse:
    """A paper that waits: who it is, how the card will look, and the button that begins."""
    found = cards.application(request.actor.scope, number)
    if found.state != cards.AT_COUNTER:
        here = desk.at_work(request.actor.scope).filter(application=found).first()
        if here is not None:
            return redirect(reverse("counter:card", args=[here.number]))
        return redirect(shapes.application_url(number))
    problem = _problem(lambda: printing.face_to_come(request.actor, found))
    other = taken.take(request.actor, number, waiting=True)
    ask = Confirm("接着办", f"{other}正在办这一份。接着办，就由你来制这张卡。", "接着办") if other else None
    start = Action(
        "开始制卡", reverse("counter:issue", args=[number]), "post", "player-play", "primary", confirm=ask,
        disabled_reason="卡面不能打印，原因见上。" if problem else "",
        hotkey="" if problem or other else "Space",
    )  # fmt: skip
    student = found.account.student
    shown = {
        **_frame(request, number),
        "who": student.name,
        "state": states.badge("application", found.state),
        "sides": _sides("counter:application_face", number, problem),
        "facts": [
            Fact("教育ID", student.education_id),
            Fact("班级", f"{student.school.name} {shapes.class_of(student.school_class)}"),
            Fact("卡种", found.kind.name),
            Fact("原因", cards.REASONS[found.reason]),
            Fact("旧卡", found.old_card.number if found.old_card else "—", _old(found)),
        ],
        "problem": problem,
        "other": other,
        "asks_blank": found.kind.transit_source == "bind",
        "start": start,
        "issue_url": reverse("counter:issue", args=[number]),
    }
    return render(request, "counter/application.html", shown)


@require_GET
@portal_view("district:card:issue")
def card(request: StaffRequest, number: str) -> HttpResponse:
    """A card on its way: its face, how far it is, and the one next step."""
    found = cards.card(request.actor.scope, number)
    problem = _problem(lambda: printing.face(request.actor, found))
    shown = {
        **_frame(request, found.application.number),
        "who": found.student.name,
        "state": states.badge("card", found.state),
        "card": found,
        "sides": _sides("counter:card_face", number, problem),
        "problem": problem,
        "work": working.work(request.actor, found),
        "other": taken.take(request.actor, found.application.number),
        "receivers": list(cards.RECEIVERS.items()),
        "purse": _purse(found),
    }
    return render(request, "counter/card.html", shown)


@require_GET
@portal_view("district:card:issue")
def progress(request: StaffRequest, number: str) -> HttpResponse:
    """The part of the page that a working machine changes.

    When it has done, or another step is possible than those on the page (`shape`), the page is loaded anew.
    """
    found = cards.card(request.actor.scope, number)
    now = working.work(request.actor, found)
    if not now.busy or request.GET.get("shape", now.shape) != now.shape:
        answer = HttpResponse(status=204)
        answer.headers["HX-Refresh"] = "true"
        return answer
    return render(request, "counter/progress.html", {"card": found, "work": now})


@require_GET
@portal_view("district:card:issue")
def equipment(request: StaffRequest) -> HttpResponse:
    """Reader, printer and stock, asked for every few seconds."""
    return render(request, "counter/equipment.html", _equipment(request))


@require_GET
@portal_view("district:card:issue")
def application_face(request: StaffRequest, number: str, side: str) -> HttpResponse:
    found = cards.application(request.actor.scope, number)
    return _picture(side, lambda: printing.face_to_come(request.actor, found))


@require_GET
@portal_view("district:card:issue")
def card_face(request: StaffRequest, number: str, side: str) -> HttpResponse:
    found = cards.card(request.actor.scope, number)
    return _picture(side, lambda: printing.face(request.actor, found))


def _picture(side: str, face: Any) -> HttpResponse:
    if side not in printing.SIDES:
        raise Http404
    answer = HttpResponse(printing.picture(face(), side), content_type="image/png")
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


def _purse(card: cards.Card) -> str:
    """What the counter tells of the purse on the old card."""
    reason = card.application.reason
    return replacements.purse_words(reason) if reason in replacements.REASONS else ""


def _problem(face: Any) -> XuekaError | None:
    try:
        printing.require_printable(face())
    except XuekaError as error:
        return error
    return None


def _sides(name: str, number: str, problem: XuekaError | None) -> list[tuple[str, str]]:
    if problem:
        return []
    return [(label, reverse(name, args=[number, side])) for side, label in printing.SIDE_LABELS.items()]


def _frame(request: StaffRequest, selected: str) -> dict[str, Any]:
    scope = request.actor.scope
    at_work = list(desk.at_work(scope).select_related("student", "application", "kind")[:_SHOWN])
    queue = list(desk.queue(scope)[:_SHOWN])
    numbers_shown = [*(each.application.number for each in at_work), *(each.number for each in queue)]
    others = taken.colleagues(request.actor, numbers_shown)
    working_on = [
        (
            reverse("counter:card", args=[each.number]),
            each.student.name,
            states.badge("card", each.state),
            _taken_by(others, each.application.number),
            each.application.number == selected,
        )
        for each in at_work
    ]
    waiting = [
        (
            reverse("counter:application", args=[each.number]),
            each.account.student.name,
            Badge(cards.REASONS[each.reason], "wait"),
            "，".join(
                part
                for part in (
                    each.school.name,
                    f"等了 {formats.age(each.updated_at)}",
                    _taken_by(others, each.number),
                )
                if part
            ),
            each.number == selected,
        )
        for each in queue
    ]
    return {
        "working_on": working_on,
        "waiting": waiting,
        "waiting_count": desk.queue(scope).count(),
        "stopped": _stopped(request),
        **_equipment(request),
    }


def _taken_by(others: dict[str, str], number: str) -> str:
    return f"{others[number]}在办" if number in others else ""


def _stopped(request: StaffRequest) -> list[Action]:
    """The way on after failures in a row: whoever stands at the counter has looked and says why."""
    here = desk.chosen(request)
    if here is None or here.agent is None or not personalization.AGENT.allows("resume", here.agent.state):
        return []
    ask = Confirm(
        "恢复这个柜台", "请写明查到的原因：空白卡、密钥还是读卡器。", "恢复", "required", reason_label="原因"
    )
    return [Action("恢复这个柜台", reverse("counter:resume"), "post", "player-play", "primary", confirm=ask)]


def _equipment(request: StaffRequest) -> dict[str, Any]:
    here = desk.chosen(request)
    if here is None:
        return {"desk": None}
    at_work = here.printer.said_state in ("idle", "processing")
    return {
        "desk": here,
        "reader_badge": _reader_badge(here.reader),
        "printer_badge": desk.printer_badge(here.printer),
        "printer_words": "" if here.printer.silent or at_work else here.printer.said_message,
        "gauges": [
            Gauge(each.label, each.capacity - each.left, each.capacity, each.low)
            for each in printing.supplies(here.printer)
        ],
        "blanks": numbers.blanks_left(),
        "own_blanks": _own_blanks(request),
        "short": [each for each in printing.supplies(here.printer) if each.blanks and each.level != "ok"],
        "in_lots": numbers.has_lots(),
        "spoilt": printing.spoils(request.actor.scope).filter(printer=here.printer).count(),
        "choices": [
            (each.pk, each.name)
            for each in printing.printers(request.actor.scope).filter(is_open=True)
        ],
    }  # fmt: skip


def _own_blanks(request: StaffRequest) -> int | None:
    """What is left of the blanks handed to this office; None where it takes from the city's stock."""
    office = numbers.office_of(request.actor.scope)
    stock = [each for each in numbers.counter_stock(request.actor.scope) if each.counter == office]
    return sum(each.left for each in stock) if stock else None


def _reader_badge(reader: personalization.ReaderView | None) -> Badge | None:
    if reader is None:
        return None
    if reader.away:
        return Badge("代理没有消息", "bad")
    tones = {"card": "ok", "busy": "progress", "empty": "neutral"}
    return Badge(reader.label, tones.get(reader.state, "bad"))


def _old(found: cards.Application) -> str:
    """How the card stands that is replaced, and what Beijing-Tong has done with its own application on it."""
    if found.old_card is None:
        return ""
    told = interop.tong_application(found.old_card.id)
    parts = [cards.CARD.state(found.old_card.state).label]
    if told is not None and told.state != interop.TONG_APPLICATION.initial:
        parts.append(f"北京通应用{interop.TONG_APPLICATION.state(told.state).label}，{told.reason}")
    return "；".join(parts)


def _empty(asked: str) -> Empty:
    if asked:
        return Empty(
            "队列里没有这一份", "请核对号码；要在柜台制的，先在“已受理”里改为柜台制卡。", icon="search"
        )
    return Empty(
        "没有等着制的卡",
        "补换申领受理后，改为柜台制卡，就出现在这里。",
        Action("看已受理的申领", reverse("counter:accepted"), icon="checks", tone="primary", hotkey="Space"),
        "id",
    )
