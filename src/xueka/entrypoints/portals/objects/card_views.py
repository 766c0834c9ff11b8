"""The page of a card: its face, its state, what may be done to it now, and everything that happened."""

from collections.abc import Callable

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.cards import api as cards
from xueka.contexts.couriers import api as couriers
from xueka.contexts.interop import api as interop
from xueka.contexts.logistics import api as logistics
from xueka.contexts.transit import api as transit
from xueka.entrypoints.design import formats, states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.ui import Action, Confirm, Fact, Link, ObjectHead
from xueka.entrypoints.portals.objects import entitlements, replacing, shapes
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_CANCEL_REASONS = [
    ("离校", "学生离校"),
    ("损坏", "卡已损坏"),
    ("家长要求", "家长要求"),
    ("其他", "其他（请写明）"),
]

Verb = Callable[[Actor, int, str], cards.Card]
_VERBS: dict[str, Verb] = {
    "report_lost": cards.report_lost,
    "lift": cards.lift,
    "found": cards.report_found,
    "cancel": cards.cancel,
}
_SAID = {
    "lift": "已解挂：本系统即时恢复使用，其他系统随后恢复。",
    "found": "已登记找回。卡的状态没有改变：挂失的可以解挂，已注销的请收回销毁。",
    "cancel": "已注销。请收回卡片，交市级销毁。",
}


@require_GET
@portal_view("school:card:read")
def card(request: StaffRequest, number: str) -> HttpResponse:
    actor: Actor = request.actor
    found = cards.card(actor.scope, number)
    timeline = cards.timeline(actor.scope, found.student.education_id)
    alone = found.id in cards.standing_alone([found])
    hands = couriers.custody(actor.scope, found.id) if actor.may("school:delivery:read") else []
    shown = {
        "card": found,
        "head": ObjectHead(
            title=found.student.name,
            number=found.number,
            kind=found.kind.name,
            stage=shapes.STAGES.get(found.school_class.stage, ""),
            state=states.badge("card", found.state),
            facts=[
                *_held(found, hands),
                Fact("有效期至", found.valid_until, "" if found.valid_until else "发放时起算"),
                Fact("一卡通号", found.transit_number),
                *_at_transit(found),
                *_beijing_tong(found),
                Fact("芯片号", found.chip_uid),
                Fact("制卡时学校", found.school.name),
                Fact("制卡时班级", shapes.class_of(found.school_class)),
            ],
            actions=[*actions(actor, found), *replacing.actions(actor, found)],
        ),
        "alone": alone,
        "face": shapes.card_face(found),
        "entitlements": entitlements.shown(actor, [found]),
        "neighbours": _neighbours(actor, found),
        "hands": [(each.at, couriers.HOLDERS[each.holder], each.shipment) for each in hands],
        "events": shapes.events(timeline, found.number),
    }
    return render(request, "objects/card.html", shown)


def _held(found: cards.Card, hands: list[couriers.Custody]) -> list[Fact]:
    """Who has it now, and since when."""
    now = couriers.held(found, hands)
    return [Fact("现在在", now.who, f"{formats.compact(now.since)}起")] if now else []


def _beijing_tong(found: cards.Card) -> list[Fact]:
    """The number, and what its keeper says of it where that is not as usual."""
    told = interop.tong_application(found.id) if found.beijing_tong_number else None
    if told is None or told.state == interop.TONG_APPLICATION.initial:
        return [Fact("北京通号", found.beijing_tong_number)]
    note = told.note or (f"换卡申领 {told.exchange.number}" if told.exchange else "")
    said = interop.TONG_APPLICATION.state(told.state).label
    return [
        Fact("北京通号", found.beijing_tong_number),
        Fact("北京通应用", said, "；".join(part for part in (told.reason, note) if part)),
    ]


def _at_transit(found: cards.Card) -> list[Fact]:
    """What the transit company keeps of this card, as last known."""
    if not found.transit_number:
        return []
    known, binding = transit.known_of([found.id]).get(found.id), transit.binding_of(found.id)
    block = transit.block_of(found.id)
    facts = [Fact("公交有效期", known.validity.valid_until if known else None, known.words if known else "")]
    if binding is not None:
        facts.append(Fact("公交实名", states.badge("transit_binding", binding.state), binding.reason))
    if block is not None:
        facts.append(Fact("一卡通公司停用", block.as_of, block.reason))
    return facts


def _neighbours(actor: Actor, found: cards.Card) -> list[Link]:
    links = [shapes.student_link(found.student), shapes.application_link(found.application)]
    if actor.may("school:delivery:read"):
        links.append(shapes.box_link(logistics.place_of(actor.scope, found.id)))
    if actor.may(interop.READ):
        links.append(
            Link("消息、快递、短信", f"{reverse('city:trace')}?q={found.number}", "消息追踪", "route")
        )
    return links


@require_POST
@portal_view()
def act(request: StaffRequest, number: str, verb: str) -> HttpResponse:
    """Report lost, lift, note as found, cancel: the state table holds the permission."""
    if verb not in _VERBS:
        raise Http404
    found = cards.card(request.actor.scope, number)
    _VERBS[verb](request.actor, found.id, _note(request))
    if verb == "report_lost":
        flash(
            request,
            f"{found.student.name}的卡 {found.number} 已挂失：{shapes.lost_effects(found.kind)}。",
            "wait",
        )
    else:
        flash(request, f"{found.student.name}的卡 {found.number} {_SAID[verb]}")
    return redirect(reverse("objects:card", args=[number]))


def _note(request: StaffRequest) -> str:
    return "：".join(
        part for part in (request.POST.get("reason", ""), request.POST.get("note", "").strip()) if part
    )


def actions(actor: Actor, found: cards.Card) -> list[Action]:
    """What this person may do to the card now."""
    who = f"{found.student.name}的卡 {found.number}"
    effects = shapes.lost_effects(found.kind)
    drawn = {
        "report_lost": Action(
            "挂失",
            icon="lock",
            tone="danger",
            hotkey="g",
            confirm=Confirm(
                "挂失",
                f"{who}。{effects}。",
                "确认挂失",
                "optional",
                reason_label="怎么丢的",
            ),
        ),
        "lift": Action(
            "解挂",
            icon="lock-open",
            tone="primary",
            confirm=Confirm(
                "解挂", f"{who} 找到了，恢复使用。", "确认解挂", "optional", reason_label="怎么找到的"
            ),
        ),
        "found": Action(
            "登记找回",
            icon="zoom-check",
            confirm=Confirm(
                "登记找回", f"有人交来{who}。登记后状态不变。", "登记", "optional", reason_label="谁交来的"
            ),
        ),
        "cancel": Action(
            "注销",
            icon="ban",
            tone="danger" if found.state == "lost" else "default",
            confirm=Confirm(
                "注销", f"{who}。注销后不能恢复，请收回卡片。", "确认注销", "required", _CANCEL_REASONS
            ),
        ),
    }
    return [
        _posting(action, reverse("objects:card_act", args=[found.number, verb]))
        for verb, action in drawn.items()
        if cards.CARD.allows(verb, found.state) and actor.may(cards.CARD.permission(verb, found.state))
    ]


def _posting(action: Action, url: str) -> Action:
    return Action(
        action.label, url, "post", action.icon, action.tone, confirm=action.confirm, hotkey=action.hotkey
    )
