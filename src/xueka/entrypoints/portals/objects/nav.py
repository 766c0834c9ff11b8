"""How states look, what the search box finds, what schools are called: the same for every portal."""

from collections.abc import Iterator

from django.urls import reverse

from xueka.contexts.cards import api as cards
from xueka.contexts.couriers import api as couriers
from xueka.contexts.logistics import api as logistics
from xueka.contexts.payments import api as payments
from xueka.contexts.receipts import api as receipts
from xueka.contexts.registry import api as registry
from xueka.contexts.replacements import api as replacements
from xueka.contexts.reporting import api as reporting
from xueka.contexts.schoolyear import api as schoolyear
from xueka.contexts.transit import api as transit
from xueka.contexts.welfare import api as welfare
from xueka.entrypoints.design import nav, states
from xueka.entrypoints.design.nav import Hit, Notice
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import NotFound
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope
from xueka.platform.identity.sessions import StaffRequest

_AT_MOST = 5

states.register(
    replacements.REPLACEMENT,
    {
        "draft": "neutral",
        "unpaid": "wait",
        "paid": "progress",
        "making": "progress",
        "to_post": "wait",
        "on_the_way": "progress",
        "handed_out": "ok",
        "refunding": "wait",
        "refunded": "ended",
        "cancelled": "ended",
    },
)
states.register(
    transit.BINDING,
    {
        "wanted": "neutral",
        "sent": "progress",
        "bound": "ok",
        "refused": "bad",
        "releasing": "progress",
        "unbound": "ended",
    },
)
states.register(welfare.ENTITLEMENT, {"active": "ok", "suspended": "stop", "ended": "ended"})
states.register(transit.EXTENSION, {"asked": "progress", "granted": "ok", "refused": "bad"})
states.register(transit.PAPER, {"sent": "progress", "agreed": "ok", "answered": "wait", "settled": "ended"})
states.register(
    couriers.SHIPMENT,
    {
        "asked": "wait",
        "ordered": "wait",
        "cancelling": "wait",
        "on_the_way": "progress",
        "delivering": "progress",
        "in_locker": "progress",
        "delivered": "ok",
        "returning": "bad",
        "returned": "ended",
        "lost": "bad",
        "cancelled": "ended",
        "failed": "bad",
    },
)
states.register(
    payments.ORDER,
    {
        "open": "wait",
        "paid": "ok",
        "refunding": "wait",
        "refunded": "ended",
        "closed": "ended",
        "expired": "ended",
    },
)
states.register(cards.ACCOUNT, {"open": "ok", "closed": "ended"})
states.register(
    cards.APPLICATION,
    {
        "draft": "neutral",
        "school_review": "wait",
        "district_review": "wait",
        "city_review": "wait",
        "returned": "bad",
        "accepted": "progress",
        "at_counter": "wait",
        "in_production": "progress",
        "fulfilled": "ok",
        "refused": "bad",
        "withdrawn": "ended",
        "cancelled": "ended",
    },
)
states.register(
    cards.CARD,
    {
        "planned": "neutral",
        "ordered": "progress",
        "made": "progress",
        "failed": "bad",
        "packed": "progress",
        "in_transit": "progress",
        "at_school": "wait",
        "issuing": "progress",
        "ready": "wait",
        "active": "ok",
        "lost": "stop",
        "cancelled": "ended",
        "void": "ended",
        "destroyed": "ended",
    },
)
states.register(
    schoolyear.YEAR_JOB,
    {
        "draft": "progress",
        "previewed": "wait",
        "confirmed": "progress",
        "running": "progress",
        "done": "ok",
        "taking_back": "progress",
        "taken_back": "ended",
        "cancelled": "ended",
    },
)
states.register(cards.DESTRUCTION, {"collecting": "wait", "signed": "ok", "cancelled": "ended"})
states.register(
    reporting.EXPORT,
    {
        "asked": "wait",
        "approved": "progress",
        "ready": "ok",
        "rejected": "bad",
        "withdrawn": "ended",
        "failed": "bad",
        "expired": "ended",
    },
)
states.register(receipts.RECEIPT, {"due": "wait", "numbered": "progress", "issued": "progress", "kept": "ok"})
states.register(registry.TRANSFER, {"open": "wait", "closed": "ok", "rejected": "bad", "withdrawn": "ended"})
states.register(
    registry.ABSENCE,
    {"missing": "wait", "confirmed": "progress", "left": "ended", "returned": "ok", "kept": "ok"},
)
states.register(
    logistics.DELIVERY,
    {"packing": "neutral", "in_transit": "progress", "received": "ok", "lost": "bad", "cancelled": "ended"},
)
states.register(
    logistics.BOX,
    {"packed": "neutral", "in_transit": "progress", "received": "ok", "lost": "bad", "cancelled": "ended"},
)


def refused_bindings(request: StaffRequest) -> int:
    """Real-name bindings that the transit company refused, for the menu."""
    return transit.refused_bindings(request.actor.scope)


def open_blocks(request: StaffRequest) -> int:
    """Cards that the transit company stopped and nobody has settled, for the menu."""
    return transit.open_blocks(request.actor.scope)


def late_replacements(scope: Scope) -> list[Notice]:
    """Promises that run out, for the bell of whoever can still do something about it."""
    late = replacements.watched(scope).count()
    if not late:
        return []
    url = f"{reverse('objects:replacements')}?watch=1"
    return [Notice(f"{late} 份补卡换卡的承诺临近或超期，卡还没送到", url, tone="bad")]


def school_name(scope: Scope) -> str | None:
    if scope.level != "school":
        return None
    try:
        return registry.school(scope, scope.school).name
    except NotFound:
        return None


def search(request: StaffRequest, query: str) -> Iterator[Hit]:
    """Students, cards, applications, boxes and deliveries inside the scope, by number or by name."""
    if request.actor.may("school:student:read"):
        yield from _students(request.actor, query)
    if request.actor.may("school:card:read") and query.isascii():
        yield from _cards(request.actor.scope, query)
    if request.actor.may("school:application:read") and query.upper().startswith("SL"):
        yield from _applications(request.actor.scope, query)
    if request.actor.may("school:delivery:read") and query.isascii():
        yield from _parcels(request.actor.scope, query)


def _students(actor: Actor, query: str) -> Iterator[Hit]:
    if any(char.isdigit() for char in query):
        found = registry.find_by_number(actor, query)
    else:
        found = registry.students_named(actor.scope, query, _AT_MOST)
    for student in found[:_AT_MOST]:
        place = f"{student.school.name} {shapes.class_of(student.school_class)}"
        title = f"{student.name} {student.education_id}"
        yield Hit(
            "学生", title, shapes.student_url(student.education_id), place, student.education_id == query
        )


def _cards(scope: Scope, query: str) -> Iterator[Hit]:
    for card in cards.cards_numbered(scope, query):
        detail = f"{card.student.name} · {states.badge('card', card.state).text}"
        yield Hit("学生卡", card.number, reverse("objects:card", args=[card.number]), detail, True)


def _applications(scope: Scope, query: str) -> Iterator[Hit]:
    for found in cards.applications(scope, search=query, limit=_AT_MOST):
        detail = f"{found.account.student.name} · {states.badge('application', found.state).text}"
        yield Hit("申领", found.number, shapes.application_url(found.number), detail, True)


def _parcels(scope: Scope, query: str) -> Iterator[Hit]:
    try:
        box = logistics.box(scope, query.upper())
    except NotFound:
        pass
    else:
        detail = f"{box.school.name} · {states.badge('box', box.state).text}"
        yield Hit("卡箱", box.number, reverse("objects:box", args=[box.number]), detail, True)
    for found in logistics.deliveries(scope, search=query, limit=_AT_MOST):
        detail = f"{found.school.name} · {states.badge('delivery', found.state).text}"
        own = query.upper() in (found.number, found.waybill.upper())
        yield Hit("配送单", found.number, reverse("objects:delivery", args=[found.number]), detail, own)


nav.register_search(search)
nav.register_scope_namer(school_name)
