"""Transfers as both sides see them: what waits for whom until when, and what may be done."""

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from xueka.contexts.registry import api as registry
from xueka.contexts.schoolyear import api as year
from xueka.entrypoints.design import formats, states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.nav import Notice
from xueka.entrypoints.design.ui import Action, Badge, Confirm, Empty, Link
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel import clock
from xueka.kernel.errors import BadInput
from xueka.platform.history import queries as history
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope
from xueka.platform.identity.sessions import StaffRequest

_SHOWN = 200
_CLOSED_SHOWN = 20
_WORDS = {"release": "同意转出", "accept": "同意接收"}


def page(request: StaffRequest, portal: str, sub: str, actions: list[Action]) -> HttpResponse:
    """What waits, what is due first on top; and the latest that are settled."""
    actor: Actor = request.actor
    rows = registry.transfer_rows(actor.scope)
    waiting = rows.filter(state="open").order_by("due_on", "asked_at", "id")[:_SHOWN]
    settled = list(rows.exclude(state="open").order_by("-closed_at", "-id")[:_CLOSED_SHOWN])
    last = history.last_steps("transfer", [each.id for each in settled])
    shown = {
        "sub": sub,
        "actions": actions,
        "rows": [_row(actor, portal, each) for each in waiting],
        "settled": [
            {
                **_names(actor.scope, each),
                "state": states.badge("transfer", each.state),
                "at": each.closed_at,
                "reason": last[each.id].reason if each.id in last else "",
            }
            for each in settled
        ],
        "empty": Empty("没有待确认的转学", "对方申请的、名册带来的转学，在这里请双方确认。", icon="transfer"),
    }
    return render(request, "objects/transfers.html", shown)


def act(request: StaffRequest, portal: str, transfer_id: int, side: str, verb: str) -> HttpResponse:
    if side not in registry.TRANSFER_SIDES or verb not in ("confirm", "reject", "withdraw"):
        raise Http404
    note = request.POST.get("note", "")
    if verb == "reject":
        done = registry.reject_transfer(request.actor, transfer_id, side, note)
        flash(request, f"{done.student.name}的转学已退回。", "wait")
    elif verb == "withdraw":
        done = registry.withdraw_transfer(request.actor, transfer_id, note)
        flash(request, f"{done.student.name}的转学已撤回。", "wait")
    else:
        chosen = request.POST.get("reason", "")
        class_id = int(chosen) if side == "accept" and chosen.isdecimal() else None
        done, drafts = year.confirm_transfer(request.actor, transfer_id, side, class_id)
        flash(request, f"{done.student.name}：{_said(done, drafts)}")
    return redirect(f"{portal}:transfers")


def _said(done: registry.Transfer, drafts: list[str]) -> str:
    if done.state != "closed":
        return "已确认，等待对方。"
    card = f"，已备好换卡申领 {'、'.join(drafts)}" if drafts else ""
    return f"双方都已确认，已转学{card}。"


def ask(actor: Actor, told: dict[str, str]) -> registry.Transfer:
    """The form of either portal; see `registry.ask_transfer`."""
    if not told["education_id"].strip() or not told["to_school"].strip():
        raise BadInput("TRANSFER_FORM", "请写明学生的教育ID和转入学校的标识码。")
    return year.ask_transfer(actor, told["education_id"], told["name"], told["to_school"], told["reason"])


def overdue(scope: Scope, portal: str, limit: int = 5) -> list[Notice]:
    """Reminders for the bell: what is due within three days or late."""
    found = registry.transfer_rows(scope).filter(state="open", due_on__isnull=False)
    return [
        Notice(
            f"{each.student.name}的转学{formats.due(each.due_on)}",
            reverse(f"{portal}:transfers"),
            each.asked_at,
            "bad" if each.due_on < clock.today() else "wait",
        )
        for each in found.order_by("due_on", "id")[:limit]
        if each.due_on and (each.due_on - clock.today()).days <= 3
    ]


def _names(scope: Scope, each: registry.Transfer) -> dict[str, object]:
    student = each.student
    own = scope.covers(district=student.school.district_id, school=student.school.code)
    across = registry.across_districts(each)

    def place(school: registry.School) -> str:
        return f"{school.district.name} {school.name}" if across else school.name

    return {
        "student": Link(student.name, shapes.student_url(student.education_id) if own else ""),
        "from": place(each.from_school),
        "to": f"{place(each.to_school)} {shapes.class_of(each.to_class)}",
    }


def _row(actor: Actor, portal: str, each: registry.Transfer) -> dict[str, object]:
    across = registry.across_districts(each)
    may = actor.may("district:transfer:confirm" if across else "school:transfer:confirm")
    schools = {"release": each.from_school, "accept": each.to_school}
    own = {
        side: actor.scope.covers(district=school.district_id, school=school.code)
        for side, school in schools.items()
    }
    sides = {"release": each.released_by, "accept": each.accepted_by}
    kind = "区" if across else "校"
    late = each.due_on is not None and each.due_on < clock.today()
    actions = [
        action
        for side in own
        if may and own[side] and not sides[side]
        for action in _actions(portal, each, side)
    ]
    if each.origin == "person" and own[each.asked_side] and actor.may("school:transfer:ask"):
        back = Confirm("撤回转学申请", each.student.name, "撤回", "required", reason_label="理由")
        url = reverse(f"{portal}:transfer_act", args=[each.id, each.asked_side, "withdraw"])
        actions.append(Action("撤回", url, "post", "arrow-back-up", confirm=back))
    return {
        **_names(actor.scope, each),
        "origin": each.reason or "学籍名册",
        "warnings": [registry.TIMING[code] for code in each.warnings],
        "due": Badge(formats.due(each.due_on), "bad" if late else "wait") if each.due_on else "",
        "age": formats.age(each.asked_at),
        "sides": [
            Badge(
                f"{'转出' if side == 'release' else '转入'}{kind}{'已确认' if sides[side] else '待确认'}",
                "ok" if sides[side] else "wait",
            )
            for side in sides
        ],
        "actions": actions,
    }


def _actions(portal: str, each: registry.Transfer, side: str) -> list[Action]:
    def url(verb: str) -> str:
        return reverse(f"{portal}:transfer_act", args=[each.id, side, verb])

    word, name = _WORDS[side], each.student.name
    said = f"{name}从{each.from_school.name}转到{each.to_school.name}。双方都确认后生效，卡随学生走。"
    ask_for = Confirm(word, said, word)
    if side == "accept" and len(classes := _classes(each)) > 1:
        ask_for = Confirm(word, said, word, "optional", classes, "编入哪个班（不选则按申请）")
    back = Confirm(
        "退回转学", f"{name}仍在{each.from_school.name}。", "退回", "required", reason_label="理由"
    )
    return [
        Action(word, url("confirm"), "post", "check", "primary", confirm=ask_for),
        Action("退回", url("reject"), "post", "arrow-back-up", confirm=back),
    ]


def _classes(each: registry.Transfer) -> list[tuple[str, str]]:
    """The classes of the same grade in the school where the student goes."""
    asked = each.to_class
    found = registry.classes(Scope("city"), each.to_school_id)
    same = [one for one in found if (one.stage, one.grade) == (asked.stage, asked.grade)]
    return [(str(one.id), shapes.class_of(one)) for one in same]
