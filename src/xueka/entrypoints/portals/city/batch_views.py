"""The page of a batch: where it stands, its files, its numbers, its problems, and what to do next."""

from collections.abc import Callable

from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.production import api as production
from xueka.entrypoints.design import states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.ui import (
    Action,
    Badge,
    Confirm,
    DropZone,
    Fact,
    Link,
    ObjectHead,
    Part,
    Step,
    SumStrip,
)
from xueka.entrypoints.portals.city import batch_contents
from xueka.entrypoints.portals.city import problems as problem_rows
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import BadInput
from xueka.platform.history import queries as history
from xueka.platform.history.services import LABELS as STEP_LABELS
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

SHOWN_CARDS = 50
_PACKAGE = {
    "stored": ("已生成，待传送", "progress"),
    "sent": ("已传送，待确认", "progress"),
    "accepted": ("卡厂已收妥", "ok"),
    "refused": ("卡厂拒收", "bad"),
}
_RETURN = {"applied": ("已核对入账", "ok"), "refused": ("整份拒收", "bad"), "repeated": ("重复文件", "ended")}
#: The line of a batch as the stepper shows it: label and the states that lie at or before the step.
_STEPS = [
    ("组批", ("open",)),
    ("锁定", ("locked",)),
    ("复核", ("approved",)),
    ("文件", ("ready",)),
    ("传送", ("sent", "bounced")),
    ("卡厂确认", ("acknowledged",)),
    ("回盘核对", ("reconciling",)),
    ("结批", ("closed",)),
]


@require_GET
@portal_view("city:batch:read")
def batch(request: StaffRequest, number: str) -> HttpResponse:
    actor: Actor = request.actor
    view = production.batch(actor.scope, number)
    found = view.batch
    open_problems = production.problems(actor.scope, batch_number=number)
    receivable = found.state in ("sent", "acknowledged", "reconciling") and actor.may("city:batch:reconcile")
    shown = {
        "batch": found,
        "head": ObjectHead(
            title=found.number,
            kind=f"制卡批次　{found.kind.name}",
            state=states.badge("batch", found.state),
            facts=[
                Fact("张数", found.card_count),
                Fact("说明", found.title),
                Fact("建立", found.created_at, shapes.actor_name(found.created_by)),
                Fact("锁定", found.locked_at, shapes.actor_name(found.locked_by)),
                Fact("复核", found.approved_at, shapes.actor_name(found.approved_by)),
            ],
            actions=_actions(actor, view),
        ),
        "steps": _stepper(found),
        "sum": SumStrip(
            "核对结果",
            found.card_count,
            [
                Part(label, value, batch_contents.OUTCOME_TONES[code])
                for code, label, value in view.numbers.labelled(found.state)
            ],
        ),
        "packages": [_package(package) for package in view.packages],
        "returns": [_return(file) for file in view.returns],
        "drop": DropZone(
            reverse("city:batch_return", args=[number]),
            label="把卡厂的回盘文件（XKR_….zip）拖到这里",
            hint="平时由系统自动取回；卡厂用别的办法送来时在这里交入。",
            accept=".zip",
            max_mb=256,
            button="核对并入账",
        )
        if receivable
        else None,
        "problems": problem_rows.drawn(actor, open_problems),
        "items": [
            _item(item, found.state) for item in production.items(actor.scope, number, limit=SHOWN_CARDS)
        ],
        "shown_cards": SHOWN_CARDS,
        "neighbours": _neighbours(actor, found),
        "events": shapes.steps(
            history.timeline({"batch": [found.id]}),
            {code: production.BATCH.event_label(code) for code in production.BATCH.event_codes}
            | {"create": "建立", **STEP_LABELS},
        ),
    }
    return render(request, "city/batch.html", shown)


Verb = Callable[[Actor, int, str], object]
_VERBS: dict[str, tuple[Verb, str]] = {
    "lock": (
        lambda actor, batch_id, note: production.lock(actor, batch_id),
        "已锁定，号码已分配。请由另一人复核。",
    ),
    "unlock": (
        lambda actor, batch_id, note: production.unlock(actor, batch_id),
        "已解锁。已分配的号码仍归这些卡，再次锁定时沿用。",
    ),
    "approve": (
        lambda actor, batch_id, note: production.approve(actor, batch_id),
        "已复核。系统正在生成文件并传送给卡厂。",
    ),
    "rebuild": (lambda actor, batch_id, note: production.rebuild(actor, batch_id), "将重新生成文件并传送。"),
    "dissolve": (
        production.dissolve,
        "批次已解散，申领回到待组批。",
    ),
    "declare_missing": (
        lambda actor, batch_id, note: production.declare_missing(actor, batch_id),
        "未交付的卡已作废，等待重制。",
    ),
    "close": (lambda actor, batch_id, note: production.close(actor, batch_id), "已结批：每张卡都有着落。"),
}


@require_POST
@portal_view("city:batch:read")
def act(request: StaffRequest, number: str, verb: str) -> HttpResponse:
    found = production.batch(request.actor.scope, number).batch
    if verb == "followup":
        remake = production.make_followup(request.actor, found.id)
        if remake is None:
            raise BadInput("NOTHING_TO_REMAKE", "这个批次没有需要重制的卡。")
        flash(request, f"重制批次 {remake.number} 已建立，{remake.card_count} 张。")
        return redirect("city:batch", remake.number)
    if verb not in _VERBS:
        raise Http404
    do, said = _VERBS[verb]
    note = "：".join(p for p in (request.POST.get("reason", ""), request.POST.get("note", "").strip()) if p)
    do(request.actor, found.id, note)
    flash(request, said)
    return redirect("city:batch", number)


@require_POST
@portal_view("city:batch:reconcile")
def take_return(request: StaffRequest, number: str) -> HttpResponse:
    """A return file handed in by a person. A refused one is kept with its reason and changes nothing."""
    file = request.FILES.get("file")
    if file is None:
        raise BadInput("FILE_MISSING", "没有收到文件。", action="请选择卡厂的回盘文件后再交一次。")
    with transaction.atomic():
        report = production.import_return(request.actor, file.read(), file.name or "", number)
    if report.state == "refused":
        flash(request, f"整份拒收，没有任何改动：{report.errors[0]['message']}", "bad")
    elif report.state == "repeated":
        flash(request, "这份文件以前已经核对过，没有任何改动。", "wait")
    else:
        counts = {
            "相符": report.matched,
            "失败": report.failed,
            "缺失": report.missing,
            "重复": report.duplicate,
            "未知": report.unknown,
            "被改": report.altered,
        }
        said = "，".join(f"{label} {number}" for label, number in counts.items())
        flash(request, f"已核对 {report.lines} 行：{said}。")
    return redirect("city:batch", number)


def _stepper(found: production.Batch) -> list[Step]:
    here = next((i for i, (_, at) in enumerate(_STEPS) if found.state in at), None)
    if here is None:  # dissolved
        return [Step("组批", "done"), Step("已解散", "bad")]
    drawn = []
    for index, (label, _) in enumerate(_STEPS):
        state = "done" if index < here or found.state == "closed" else "now" if index == here else "todo"
        if found.state == "bounced" and index == here:
            state = "bad"
        drawn.append(Step(label, state, "卡厂拒收" if state == "bad" else ""))
    return drawn


def _actions(actor: Actor, view: production.BatchView) -> list[Action]:
    """The next step first; a step that the table allows but the person may not do says why."""
    found = view.batch
    number = found.number
    owed = view.numbers.pending + view.numbers.missing + view.numbers.altered
    second = "复核人不能是锁定人，请由另一位运营复核。" if found.locked_by == actor.username else ""
    not_yet = (
        f"还有 {owed} 张没有结果，{view.open_problems} 个问题没有处理。" if owed or view.open_problems else ""
    )

    def post(verb: str, label: str, icon: str, tone: str = "default", **more: object) -> Action:
        return Action(label, reverse("city:batch_act", args=[number, verb]), "post", icon, tone, **more)  # type: ignore[arg-type]

    drawn = {
        "lock": post(
            "lock",
            "锁定",
            "lock",
            "primary",
            confirm=Confirm("锁定批次", f"将为 {found.card_count} 张卡分配号码，此后批次不能增减。", "锁定"),
        ),
        "approve": post(
            "approve",
            "复核通过",
            "user-check",
            "primary",
            disabled_reason=second,
            confirm=Confirm("复核批次", f"{found.card_count} 张卡将下单，文件签名加密后送卡厂。", "复核通过"),
        ),
        "unlock": post(
            "unlock",
            "解锁",
            "lock-open",
            confirm=Confirm("解锁批次", "已分配的号码仍归这些卡，再次锁定时沿用。", "解锁"),
        ),
        "rebuild": post("rebuild", "重新生成并传送", "refresh", "primary"),
        "close": post(
            "close",
            "结批",
            "flag",
            "primary",
            disabled_reason=not_yet,
            confirm=Confirm("结批", "每张卡都有着落，问题都已处理；结批后不能再收回盘。", "结批"),
        ),
        "dissolve": post(
            "dissolve",
            "解散",
            "trash",
            "danger",
            confirm=Confirm("解散批次", "申领回到待组批。", "解散", "required"),
        ),
    }
    may = [
        action
        for verb, action in drawn.items()
        if production.BATCH.allows(verb, found.state)
        and actor.may(production.BATCH.permission(verb, found.state))
    ]
    if found.state == production.BATCH.initial and actor.may("city:batch:create"):
        may.insert(1, Action("增减申领", reverse("city:batch_contents", args=[number]), icon="list-check"))
    if found.state == "reconciling" and owed and actor.may("city:problem:resolve"):
        may.append(
            post(
                "declare_missing",
                "登记缺失",
                "package-off",
                confirm=Confirm("不再等待", f"{owed} 张卡作废并等待重制。", "登记缺失"),
            )
        )
    if view.to_pack and actor.may("city:delivery:pack"):
        may.append(Action(f"装箱发运（{view.to_pack:,} 张）", reverse("city:deliveries"), icon="package"))
    if view.to_remake and actor.may("city:batch:create"):
        may.insert(0, post("followup", f"建重制批次（{view.to_remake} 张）", "repeat", "primary"))
    return may


def _package(package: production.Package) -> tuple[str, Badge, str, object, str]:
    """Name, state, digest, when, and what went wrong."""
    label, tone = _PACKAGE[package.state]
    said = package.acknowledgement.get("message") or package.last_error
    return (
        package.file.name,
        Badge(label, tone),
        bytes(package.file.sm3).hex(),
        package.sent_at or package.built_at,
        said,
    )


def _return(file: production.ReturnFile) -> tuple[str, Badge, str, object, str]:
    label, tone = _RETURN[file.state]
    said = f"{file.refusal_text}（{file.refusal_code}）" if file.refusal_code else ""
    return file.file.name, Badge(label, tone), bytes(file.file.sm3).hex(), file.received_at, said


def _item(item: production.BatchItem, batch_state: str) -> tuple[int, Link, object, Badge, str]:
    student = item.application.account.student
    card = Link(item.card.number, reverse("objects:card", args=[item.card.number])) if item.card else ""
    return (
        item.position,
        Link(student.name, shapes.student_url(student.education_id)),
        card,
        batch_contents.outcome(item, batch_state),
        batch_contents.said(item),
    )


def _neighbours(actor: Actor, found: production.Batch) -> list[Link]:
    links = []
    if found.remake_of:
        links.append(
            Link(
                found.remake_of.number,
                reverse("city:batch", args=[found.remake_of.number]),
                "重制自",
                "stack-2",
            )
        )
    links += [
        Link(each.number, reverse("city:batch", args=[each.number]), "重制批次", "repeat")
        for each in production.remakes(actor.scope, found)
    ]
    return links
