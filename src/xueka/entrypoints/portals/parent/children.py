"""My children: the card as a picture with its state, and the four things a parent comes for."""

from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.cards import api as cards
from xueka.contexts.registry import api as registry
from xueka.contexts.replacements import api as replacements
from xueka.contexts.transit import api as company
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.ui import CardFace
from xueka.entrypoints.portals.objects import entitlements, shapes
from xueka.entrypoints.portals.objects.transit import said_of_look_up, standing_badge
from xueka.entrypoints.portals.parent.door import FamilyRequest, family_view
from xueka.kernel.errors import BadInput, NotFound

NOTICE_VERSION = "2026-1"


@dataclass(frozen=True, slots=True)
class Held:
    """One card of a child, drawn; what is under way with it, and what it is entitled to."""

    card: cards.Card
    face: CardFace
    under_way: replacements.Replacement | None
    entitled: list[entitlements.Shown]


@require_GET
@family_view
def home(request: FamilyRequest) -> HttpResponse:
    found = list(registry.student_rows(request.actor.scope).order_by("sort_key", "id"))
    if len(found) == 1:
        return _child(request, found[0])
    children = [(each, _held(request, each)) for each in found]
    return render(request, "parent/home.html", {"children": children})


@require_GET
@family_view
def child(request: FamilyRequest, education_id: str) -> HttpResponse:
    return _child(request, registry.student(request.actor.scope, education_id))


@require_http_methods(["GET", "POST"])
@family_view
def lost(request: FamilyRequest, number: str) -> HttpResponse:
    """Say what it means, then block the card at once."""
    card = cards.card(request.actor.scope, number)
    effects = [cards.LostEffect(**each) for each in card.kind.lost_effects or []] or cards.lost_effects()
    if request.method == "POST":
        cards.report_lost(request.actor, card.id, "家长挂失")
        flash(request, "已挂失，本系统即时生效。找到了可以解挂；找不到请办补卡。", "wait")
        return redirect("parent:child", card.student.education_id)
    return render(request, "parent/lost.html", {"card": card, "effects": effects})


@require_POST
@family_view
def found(request: FamilyRequest, number: str) -> HttpResponse:
    card = cards.card(request.actor.scope, number)
    cards.lift(request.actor, card.id, "家长解挂")
    flash(request, "已解挂，本系统即时恢复使用，其他系统随后恢复。")
    return redirect("parent:child", card.student.education_id)


@require_http_methods(["GET", "POST"])
@family_view(atomic=False)
def transit(request: FamilyRequest, education_id: str) -> HttpResponse:
    """What the transit company keeps of the child's cards: the last known, or, when asked, the present."""
    student = registry.student(request.actor.scope, education_id)
    held = [each.card for each in _held(request, student)]
    if request.method == "POST":
        asked = [card for card in held if card.transit_number]
        outcomes = company.look_up_all(request.actor, [card.number for card in asked])
        flash(request, *said_of_look_up(outcomes, any(company.known_of([card.id for card in asked]))))
        return redirect("parent:transit", education_id)
    known = company.known_of([each.id for each in held])
    shown = {
        "student": student,
        "cards": [
            (card, known.get(card.id), standing_badge(known.get(card.id)), company.block_of(card.id))
            for card in held
        ],
        "may_ask": company.connected() and any(each.transit_number for each in held),
        "words": replacements.transit_words(),
    }
    return render(request, "parent/transit.html", shown)


@require_http_methods(["GET", "POST"])
@family_view
def consent(request: FamilyRequest, education_id: str) -> HttpResponse:
    """The notice; agree, or take it back. Where it is needed for a replacement, that goes on afterwards."""
    student = registry.student(request.actor.scope, education_id)
    if request.method == "POST":
        name = request.POST.get("name", "").strip()
        withdrawn = request.POST.get("action") == "withdrawn"
        if not name and not withdrawn:
            raise BadInput("GUARDIAN_NAME", "请填写监护人姓名。", where="监护人姓名")
        action = "withdrawn" if withdrawn else "given"
        registry.record_consent(request.actor, [student.id], action, NOTICE_VERSION, name[:50], "page")
        flash(request, "已撤回同意。" if withdrawn else "已登记您的同意。")
        return redirect("parent:child", education_id)
    given = registry.last_consent(student.id) == "given"
    return render(
        request, "parent/consent.html", {"student": student, "given": given, "version": NOTICE_VERSION}
    )


def _child(request: FamilyRequest, student: registry.Student) -> HttpResponse:
    history = replacements.of_student(request.actor.scope, student.id)
    shown = {
        "student": student,
        "several": len(request.actor.scope.children) > 1,
        "held": _held(request, student),
        "history": history,
        "class_name": shapes.class_of(student.school_class),
    }
    return render(request, "parent/child.html", shown)


def _held(request: FamilyRequest, student: registry.Student) -> list[Held]:
    """Cards that live, or the last one that did; a child without any has an empty list."""
    rows = cards.card_rows(request.actor.scope).filter(student=student)
    found = list(rows.filter(state__in=cards.LIVE).order_by("id"))
    if not found:
        found = list(rows.order_by("-id")[:1])
    under_way = {each.kind_id: each for each in replacements.open_of(request.actor.scope, student.id)}
    granted = entitlements.shown(request.actor, found) or []
    return [
        Held(
            each,
            shapes.card_face(each),
            under_way.get(each.kind_id),
            [one for one in granted if one.card == each.number],
        )
        for each in found
    ]


def held_of(request: FamilyRequest) -> list[Held]:
    """The living cards of all her children."""
    students = registry.student_rows(request.actor.scope).order_by("sort_key", "id")
    found = [held for student in students for held in _held(request, student)]
    return [each for each in found if each.card.state in cards.LIVE]


def own_card(request: FamilyRequest, number: str) -> cards.Card:
    """A living card of one of her children; NotFound for everybody else's."""
    card = cards.card(request.actor.scope, number)
    if card.state not in cards.LIVE:
        raise NotFound("CARD_NOT_FOUND", "没有这张卡。")
    return card
