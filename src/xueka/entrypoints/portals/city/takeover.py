"""Taking over: sets of files, their dry run and totals, approval, the way back, and the daily differences."""

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.cards import api as cards
from xueka.contexts.takeover import api as takeover
from xueka.entrypoints.design import formats, states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.listing import Bulk, Column, DataList, Filter, Selection, narrow
from xueka.entrypoints.design.ui import (
    Action,
    Confirm,
    DropZone,
    Empty,
    Fact,
    Link,
    ObjectHead,
    Part,
    ProgressRow,
    SumStrip,
)
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import BadInput
from xueka.platform.history import queries as history
from xueka.platform.history.services import LABELS as STEP_LABELS
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

SHOWN = 300
AT_ONCE = 5000
_PURPOSES = {"load": "接管", "compare": "比对"}


@require_http_methods(["GET", "POST"])
@portal_view("city:takeover:load")
def page(request: StaffRequest) -> HttpResponse:
    if request.method == "POST":
        return _take(request)
    url = reverse("city:takeover")
    hint = "清单和数据文件一起选，文件名以 manifest、accounts、cards、ranges、numbers、applications 开头。"

    def zone(purpose: str, button: str) -> DropZone:
        return DropZone(
            url,
            "files",
            "把一套文件（CSV 或 XLSX）拖到这里",
            hint,
            ".csv,.xlsx",
            200,
            True,
            button,
            {"purpose": purpose},
        )

    rows = takeover.take_overs(request.actor.scope)[:50]
    shown = {
        "zones": [
            ("接管：先试算，不改数据", zone("load", "试算")),
            ("与旧系统比对", zone("compare", "比对")),
        ],
        "sets": [
            (
                Link(row.number, reverse("city:takeover_set", args=[row.number])),
                _PURPOSES[row.purpose],
                row.source,
                row.as_of,
                states.badge("takeover", row.state),
                shapes.actor_name(row.created_by),
                row.created_at,
            )
            for row in rows
        ],
        "templates": [
            Link(
                f"{part.code}.csv",
                reverse("city:takeover_template", args=[part.code]),
                part.label,
                "file-download",
            )
            for part in (takeover.MANIFEST_PART, *takeover.PARTS.values())
        ],
        "differences": _differences(),
        "more": reverse("city:differences"),
    }
    return render(request, "city/takeover.html", shown)


@require_GET
@portal_view("city:takeover:load")
def template(request: StaffRequest, part: str) -> HttpResponse:
    """An empty file of a set, to be filled by the other system's people."""
    text = takeover.templates().get(part)
    if text is None:
        raise Http404
    # The mark lets a spreadsheet know that it reads UTF-8.
    answer = HttpResponse(f"\ufeff{text}", content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{part}.csv"'
    return answer


@require_GET
@portal_view("city:takeover:load")
def one(request: StaffRequest, number: str) -> HttpResponse:
    """A set: what the dry run says, the totals side by side, how far it is, and the next step."""
    found = takeover.take_over(request.actor.scope, number)
    findings = found.findings
    progress = takeover.progress(found) if found.purpose == "load" else []
    labels = {code: takeover.TAKEOVER.event_label(code) for code in takeover.TAKEOVER.event_codes}
    shown = {
        "head": ObjectHead(
            found.source or "旧系统",
            found.number,
            _PURPOSES[found.purpose],
            states.badge("takeover", found.state),
            facts=[
                Fact("数据时点", found.as_of),
                Fact("提交", shapes.actor_name(found.created_by)),
                Fact("批准", shapes.actor_name(found.approved_by) or "—"),
                Fact("可收回至", found.back_until or "—"),
            ],
            actions=_actions(request, found),
        ),
        "found": found,
        "strips": _strips(found),
        "totals": [
            (takeover.PARTS[each["part"]].label, each["item"], each["told"], each["found"], each["agrees"])
            for each in found.totals
            if each["item"] != "行数"
        ],
        "progress": [
            ProgressRow(
                each.label,
                [Part("已载入", each.loaded - each.back, "ok"), Part("已收回", each.back, "ended")],
                each.accepted,
            )
            for each in progress
            if each.accepted
        ],
        "errors": [*findings.get("late", []), *findings.get("errors", [])][:SHOWN],
        "warnings": findings.get("warnings", [])[:SHOWN],
        "more_errors": max(0, sum(findings.get("error_counts", {}).values()) - SHOWN),
        "stayed": takeover.stayed(found),
        "back": takeover.preview_back(request.actor, found.id) if found.state == "back_asked" else None,
        "parts": takeover.PARTS,
        "events": shapes.steps(
            history.timeline({"takeover": [found.id]}), labels | {"create": "提交试算", **STEP_LABELS}
        ),
    }
    return render(request, "city/takeover_set.html", shown)


@require_POST
@portal_view("city:takeover:load")
def act(request: StaffRequest, number: str, verb: str) -> HttpResponse:
    actor, note = request.actor, request.POST.get("note", "")
    found = takeover.take_over(actor.scope, number)
    if verb == "approve":
        takeover.approve(actor, found.id, without_rejected=request.POST.get("without_rejected") == "1")
        said = "已批准，系统正在载入。"
    elif verb == "recheck":
        takeover.recheck(actor, found.id)
        said = "已重新试算。"
    elif verb == "drop":
        takeover.drop(actor, found.id, note)
        said = "已放弃，没有载入任何数据。"
    elif verb == "ask_back":
        takeover.ask_back(actor, found.id, note)
        said = "已申请收回，请另一位运营批准。"
    elif verb == "approve_back":
        takeover.approve_back(actor, found.id)
        said = "已批准，系统正在收回。"
    elif verb == "refuse_back":
        takeover.refuse_back(actor, found.id, note)
        said = "不收回。"
    else:
        raise Http404
    flash(request, said)
    return redirect("city:takeover_set", found.number)


@require_GET
@portal_view("city:takeover:load")
def differences(request: StaffRequest) -> HttpResponse:
    """What differs from the old system now, since when, why, and who has signed."""
    names = shapes.Names()
    rows = DataList(
        request,
        takeover.differences(request.actor.scope),
        name="differences",
        caption="与旧系统的差异",
        columns=[
            Column("标识", "key", kind="code"),
            Column("差异", lambda row: takeover.KINDS[row.kind]),
            Column("旧系统", lambda row: _word(row.part, row.old)),
            Column("本系统", lambda row: _word(row.part, row.ours)),
            Column("教育ID", "education_id", kind="code", minor=True),
            Column("已有", lambda row: formats.age(row.since), sort="since", kind="number"),
            Column("原因", lambda row: row.explanation or "—"),
            Column("说明", lambda row: names[row.explained_by], minor=True),
            Column("签认", lambda row: names[row.signed_by] or "—"),
        ],
        sorts={"since": ("since", "id")},
        filters=_difference_filters(),
        bulk=[
            Bulk("说明原因", reverse("city:differences_act", args=["explain"]), "message-2"),
            Bulk("签认", reverse("city:differences_act", args=["sign"]), "signature"),
        ],
        label=lambda row: row.key,
        unit="项",
        empty=Empty("没有差异", "与旧系统比对后，不一致的地方会出现在这里。", icon="circle-check"),
    )
    export = Action("导出", reverse("city:differences_export"), "post", "download")
    back = Link("接管", reverse("city:takeover"))
    shown = {
        "title": "与旧系统的差异",
        "sub": "一人说明原因，另一人签认。",
        "actions": [export],
        "back": back,
        "list": rows,
    }
    return render(request, "objects/list.html", shown)


@require_POST
@portal_view("city:takeover:load")
def differences_act(request: StaffRequest, verb: str) -> HttpResponse:
    """Explain (asks for the words first) or sign what was selected."""
    ids = _chosen(request)
    text = request.POST.get("text", "")
    if verb == "explain" and not text.strip():
        return render(request, "city/takeover_explain.html", {"keys": ids, "count": len(ids)})
    if verb == "explain":
        flash(request, f"已说明 {takeover.explain(request.actor, ids, text)} 项，请另一位运营签认。")
    elif verb == "sign":
        flash(request, f"已签认 {takeover.sign(request.actor, ids)} 项。")
    else:
        raise Http404
    return redirect("city:differences")


def _difference_filters() -> list[Filter]:
    compared = ("accounts", "cards", "applications")
    parts = [(code, part.label) for code, part in takeover.PARTS.items() if code in compared]
    return [
        Filter("part", "文件", lambda found, code: found.filter(part=code), parts),
        Filter("kind", "差异", lambda found, code: found.filter(kind=code), list(takeover.KINDS.items())),
        Filter(
            "q",
            "卡号或教育ID",
            lambda found, text: found.filter(education_id=text) | found.filter(key=text),
            kind="search",
        ),
    ]


def _chosen(request: StaffRequest) -> list[int]:
    """The differences that were selected; of everything at most AT_ONCE, the oldest first."""
    selection = Selection.of(request)
    if not selection.everything:
        return [int(key) for key in selection.keys if key.isdecimal() and len(key) < 19]
    rows = narrow(takeover.differences(request.actor.scope), _difference_filters(), selection.filters)
    return list(rows.order_by("since", "id").values_list("id", flat=True)[:AT_ONCE])


@require_POST
@portal_view("city:takeover:load")
def differences_export(request: StaffRequest) -> HttpResponse:
    answer = HttpResponse(takeover.export(request.actor), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="differences.csv"'
    return answer


def _take(request: StaffRequest) -> HttpResponse:
    files = request.FILES.getlist("files")
    if not files:
        raise BadInput("FILE_MISSING", "没有收到文件。", action="请把清单和数据文件一起选上。")
    given = {file.name or "": file.read() for file in files}
    if request.POST.get("purpose") == "compare":
        found, counts = takeover.compare(request.actor, given)
        total = sum(sum(kinds.values()) for kinds in counts.values())
        flash(request, f"比对完成：现有差异 {total} 项。", "wait" if total else "ok")
    else:
        found = takeover.check(request.actor, given)
        flash(request, "试算完成，没有改动业务数据。")
    return redirect("city:takeover_set", found.number)


def _actions(request: StaffRequest, found: takeover.TakeOver) -> list[Action]:
    def post(verb: str, label: str, icon: str, tone: str = "default", **more: object) -> Action:
        url = reverse("city:takeover_act", args=[found.number, verb])
        return Action(label, url, "post", icon, tone, **more)  # type: ignore[arg-type]

    mine = found.created_by == request.actor.username
    reason = Confirm("写明理由", found.number, "提交", "required", reason_label="理由")
    if found.state == "checked" and found.purpose == "load":
        rejected = sum(each["rejected"] for each in found.counts.values())
        why = "请由提交人以外的运营批准。" if mine else ""
        if not why and not all(each["agrees"] for each in found.totals):
            why = "控制总数不符，不能载入。"
        body = f"{rejected} 行不能载入，将不含这些行。" if rejected else "所有行都可以载入。"
        confirm = Confirm("批准载入", body, "批准载入")
        params = {"without_rejected": "1"} if rejected else {}
        return [
            post(
                "approve",
                "批准载入",
                "checks",
                "primary",
                disabled_reason=why,
                confirm=confirm,
                params=params,
            ),
            post("recheck", "重新试算", "refresh"),
            post("drop", "放弃", "x", confirm=reason),
        ]
    if found.state in {"approved", "loaded"}:
        return [post("ask_back", "申请收回", "arrow-back-up", "danger", confirm=reason)]
    if found.state == "back_asked":
        own = found.back_asked_by == request.actor.username
        why = "请由申请人以外的运营批准。" if own else ""
        sure = Confirm("批准收回", found.back_reason, "批准收回")
        return [
            post("approve_back", "批准收回", "arrow-back-up", "danger", disabled_reason=why, confirm=sure),
            post("refuse_back", "不收回", "x"),
        ]
    return []


def _strips(found: takeover.TakeOver) -> list[SumStrip]:
    """Per file: the rows that the manifest tells beside what was taken and what was refused."""
    told = {each["part"]: each["told"] or 0 for each in found.totals if each["item"] == "行数"}
    return [
        SumStrip(
            f"{takeover.PARTS[code].label}：清单行数",
            told.get(code, 0),
            [Part("可载入", counts.get("accepted", 0), "ok"), Part("拒收", counts.get("rejected", 0), "bad")],
        )
        for code in takeover.PARTS
        if (counts := found.counts.get(code))
    ]


def _differences() -> list[tuple[str, SumStrip]]:
    labels = {code: part.label for code, part in takeover.PARTS.items()}
    return [
        (
            labels[part],
            SumStrip(
                f"{labels[part]}差异",
                sum(kinds.values()),
                [
                    Part(
                        takeover.KINDS[kind],
                        count,
                        "bad",
                        f"{reverse('city:differences')}?part={part}&kind={kind}",
                    )
                    for kind, count in kinds.items()
                ],
            ),
        )
        for part, kinds in takeover.open_counts().items()
    ]


def _word(part: str, value: str) -> str:
    """A state as the screen calls it; other values as they are."""
    machine = {"accounts": cards.ACCOUNT, "cards": cards.CARD, "applications": cards.APPLICATION}[part]
    return dict(machine.choices).get(value, value) or "—"
