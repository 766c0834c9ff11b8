"""Card profiles and partners' scripts: loaded, compared, tried dry, approved by a second person, in force."""

from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.personalization import api as personalization
from xueka.entrypoints.design import formats, states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.listing import Column, DataList, Rows
from xueka.entrypoints.design.ui import Action, Confirm, Empty, Fact, Link, ObjectHead
from xueka.entrypoints.portals.city.agents import READ, journal, session_columns
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

MANAGE, APPROVE = "city:profile:manage", "city:profile:approve"


class FileForm(WordedForm):
    """A profile or a script; which it is, the person says."""

    sort = forms.ChoiceField(label="内容", choices=[("profile", "卡片结构"), ("script", "合作方脚本")])
    file = forms.FileField(label="文件", help_text="TOML 文件，UTF-8 编码，不超过 256 KB。")


@require_GET
@portal_view(READ)
def listing(request: StaffRequest) -> HttpResponse:
    shown = {
        "profiles": _list(request, "profile", personalization.profiles(request.actor.scope)),
        "scripts": _list(request, "script", personalization.scripts(request.actor.scope)),
        "actions": [Action("载入文件", reverse("city:profile_load"), icon="file-import", tone="primary")]
        if request.actor.may(MANAGE)
        else [],
    }
    return render(request, "city/profiles.html", shown)


@require_http_methods(["GET", "POST"])
@portal_view(MANAGE)
def load(request: StaffRequest) -> HttpResponse:
    form = FileForm(request.POST or None, request.FILES or None)
    problem, problems = None, []
    if request.method == "POST" and form.is_valid():
        content = form.cleaned_data["file"].read()
        try:
            if form.cleaned_data["sort"] == "script":
                script = personalization.load_script(request.actor, content)
                flash(request, f"已载入{script.title} {script.version} 版草稿。")
                return redirect("city:script", script.pk)
            made = personalization.load_profile(request.actor, content)
            flash(request, f"已载入{made}版草稿。请核对差异，再提交复核。")
            return redirect("city:profile", made.pk)
        except XuekaError as refusal:
            problem = refusal
            problems = refusal.detail.get("problems", [])
    shown = {"form": form, "problem": problem, "problems": problems, "back": _BACK}
    failed = problem is not None or bool(form.errors)
    return render(request, "city/profile_load.html", shown, status=400 if failed else 200)


@require_GET
@portal_view(READ)
def page(request: StaffRequest, id_: int) -> HttpResponse:
    found = personalization.profile(request.actor.scope, id_)
    profile = personalization.parse(found.text)
    earlier = personalization.earlier_profile(found)
    before = personalization.parse(earlier.text) if earlier else None
    figures = personalization.summary(profile)
    plans = []
    for stage, label in personalization.STAGES.items():
        plan = personalization.compile_plan(profile, [stage], personalization.SAMPLE)
        plans.append((label, plan.round_trips, personalization.listing(plan)))
    head = _head(request, "profile", found, f"{profile.title} {profile.version}", "卡片结构")
    head.facts[:0] = [  # type: ignore[index]
        Fact("算法", profile.algorithm.upper()),
        Fact("卡种", "、".join(profile.kinds)),
        Fact("密钥", figures["keys"]),
        Fact("文件", figures["files"]),
    ]
    shown = {
        "head": head,
        "title": str(found),
        "earlier": earlier,
        "difference": personalization.difference(before, profile) if before else [],
        "lines": personalization.lines(profile),
        "plans": plans,
    }
    return render(request, "city/profile.html", shown)


@require_GET
@portal_view(READ)
def script(request: StaffRequest, id_: int) -> HttpResponse:
    found = personalization.script(request.actor.scope, id_)
    content = personalization.parse_script(found.text)
    head = _head(request, "script", found, f"{found.title} {found.version}", "合作方脚本")
    head.facts[:0] = [  # type: ignore[index]
        Fact("应用", found.application),
        Fact("用于", personalization.SCRIPT_STAGES[found.stage]),
        Fact("自", formats.day(found.starts_on)),
        Fact("来源", found.source, found.document),
    ]
    maps = personalization.maps_for(found)
    told = personalization.explain([each.apdu for each in content.commands], maps)
    commands = [
        (each.apdu.hex(), said, "、".join(each.expect))
        for each, said in zip(content.commands, told, strict=True)
    ]
    shown = {"head": head, "title": found.title, "commands": commands, "mapped": bool(maps)}
    return render(request, "city/script.html", shown)


@require_POST
@portal_view(MANAGE, APPROVE)
def act(request: StaffRequest, sort: str, id_: int, verb: str) -> HttpResponse:
    if sort not in ("profile", "script") or verb not in _VERBS:
        raise Http404
    which = personalization.PROFILES if sort == "profile" else personalization.SCRIPTS
    note = request.POST.get("note", "")
    if verb == "submit":
        personalization.submit(request.actor, which, id_)
    elif verb == "approve":
        personalization.approve(request.actor, which, id_)
    elif verb == "put_in_force":
        personalization.put_in_force(request.actor, which, id_)
    elif verb == "send_back":
        personalization.send_back(request.actor, which, id_, note)
    elif verb == "retire":
        personalization.retire(request.actor, which, id_, note)
    flash(request, f"已{_VERBS[verb][0]}。")
    return redirect(f"city:{sort}", id_)


@require_GET
@portal_view(READ)
def sessions(request: StaffRequest) -> HttpResponse:
    found = DataList(
        request,
        personalization.sessions(request.actor.scope).select_related("card"),
        name="sessions",
        caption="写卡记录",
        columns=session_columns(),
        sorts={"id": ("-id",)},
        url=lambda row: reverse("city:session", args=[row.pk]),
        label=lambda row: str(row.pk),
        unit="次",
        empty=Empty("还没有写过卡", "柜台写卡后，每一次都会记在这里。", icon="id"),
    )
    shown = {"title": "写卡记录", "sub": "柜台写的每一张卡：写到哪一步，用的哪版密钥。", "list": found}
    return render(request, "objects/list.html", shown)


@require_GET
@portal_view(READ)
def session(request: StaffRequest, session_id: int) -> HttpResponse:
    found = personalization.session(request.actor.scope, session_id)
    state = personalization.progress(found.pk)
    head = ObjectHead(
        title=found.card.number if found.card else "在用卡升级",
        number=str(found.pk),
        kind="写卡记录",
        state=states.badge("personalization", found.state),
        facts=[
            Fact("芯片", found.chip_uid),
            Fact("卡片结构", str(found.profile)),
            Fact("代理", found.agent.name, found.reader),
            Fact("办理", shapes.actor_name(found.opened_by)),
            Fact("往返", state.round_trips, "次"),
            Fact("重写", found.redone, "次"),
            Fact("说明", found.message, found.plastic),
        ],
    )
    keys = personalization.lineage(found.card_id) if found.card_id else []
    shown = {"head": head, "title": head.title, "events": journal(found), "keys": keys}
    return render(request, "city/session.html", shown)


_VERBS = {
    "submit": ("提交复核", "send", "primary", MANAGE, ""),
    "approve": ("批准", "checks", "primary", APPROVE, "批准后即可启用。"),
    "send_back": ("退回", "arrow-back-up", "default", APPROVE, "required"),
    "put_in_force": (
        "启用",
        "player-play",
        "primary",
        MANAGE,
        "原在用的同时停用；已开始写的卡仍按原来的写完。",
    ),
    "retire": ("停用", "ban", "danger", MANAGE, "required"),
}
_BACK = Link("卡片结构", "../")


def _head(request: StaffRequest, sort: str, found: Any, title: str, kind: str) -> ObjectHead:
    machine = personalization.PROFILE if sort == "profile" else personalization.SCRIPT
    actions = []
    for verb, (label, icon, tone, permission, asks) in _VERBS.items():
        if not machine.allows(verb, found.state) or not request.actor.may(permission):
            continue
        own = permission == APPROVE and found.submitted_by == request.actor.username
        confirm = None
        if asks == "required":
            confirm = Confirm(f"{label}{title}", "", label, "required", reason_label="理由")
        elif asks:
            confirm = Confirm(f"{label}{title}", asks, label)
        url = reverse("city:profile_act", args=[sort, found.pk, verb])
        why = "请由提交人以外的运营人员复核。" if own else ""
        actions.append(Action(label, url, "post", icon, tone, disabled_reason=why, confirm=confirm))
    return ObjectHead(
        title=title,
        number=found.code,
        kind=kind,
        state=states.badge(machine.name, found.state),
        facts=[
            Fact("载入", formats.moment(found.created_at), shapes.actor_name(found.created_by)),
            Fact("提交", shapes.actor_name(found.submitted_by)),
            Fact(
                "批准", found.approved_at, shapes.actor_name(found.approved_by) if found.approved_by else ""
            ),
            Fact("SM3", bytes(found.sm3).hex()[:16]),
        ],
        actions=actions,
    )


def _list(request: StaffRequest, sort: str, rows: Rows) -> DataList:
    name = "卡片结构" if sort == "profile" else "合作方脚本"
    machine = personalization.PROFILE if sort == "profile" else personalization.SCRIPT
    return DataList(
        request,
        rows,
        name=f"{sort}s",
        caption=name,
        columns=[
            Column("名称", "title"),
            Column("代号", "code", kind="code", minor=True),
            Column("版本", "version", kind="code"),
            Column("状态", lambda row: states.badge(machine.name, row.state)),
            Column("载入", lambda row: row.created_at, minor=True),
        ],
        sorts={"new": ("-id",)},
        url=lambda row: reverse(f"city:{sort}", args=[row.pk]),
        label=lambda row: f"{row.title} {row.version}",
        unit="份",
        empty=Empty(f"还没有{name}", "载入文件后，草稿会出现在这里。", icon="file-code"),
    )
