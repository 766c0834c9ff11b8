"""Coordination with the seven counterpart groups: the queues, a new matter, one matter and its file."""

from datetime import date

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.coordination import api as coordination
from xueka.entrypoints.design import formats, states
from xueka.entrypoints.design.downloads import attachment
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Action, Badge, Confirm, Empty, Event, Fact, Link, ObjectHead
from xueka.entrypoints.portals.city.interfaces import words
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import BadInput, XuekaError
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_PAGES = {
    "card": "objects:card",
    "batch": "city:batch",
    "interface": "city:interface",
    "difference": "city:interface_difference",
    "parcel": "city:parcel",
}
_STEPS = {
    "ask": ("向对方提出", "send", "怎么提出的：电话、函件、群消息", "primary"),
    "answer": ("登记答复", "message-2", "对方怎么说", "primary"),
    "finish": ("办结", "check", "结果", "default"),
    "cancel": ("取消", "x", "为什么取消", "danger"),
}
_TONES = {"note": "neutral", "step": "progress", "owner": "neutral", "due": "wait", "file": "neutral"}


class MatterForm(WordedForm):
    what = forms.ChoiceField(label="找谁、什么事")
    subject = forms.CharField(label="标题", max_length=100)
    text = forms.CharField(
        label="说明", required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 4})
    )
    about_kind = forms.ChoiceField(label="所涉对象", choices=list(coordination.ABOUT.items()), required=False)
    about = forms.CharField(
        label="对象的编号", required=False, max_length=80, help_text="例如卡号、批次号、接口代码。"
    )
    owner = forms.CharField(label="负责人的登录名", required=False, help_text="不填就是您自己。")

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        what = self.fields["what"]
        assert isinstance(what, forms.ChoiceField)
        what.choices = [
            (
                party.label,
                [
                    (
                        f"{code}.{kind}",
                        f"{each.label}（{coordination.days_for(code, kind)} 个工作日）",
                    )
                    for kind, each in party.kinds.items()
                ],
            )
            for code, party in coordination.PARTIES.items()
        ]


@require_GET
@portal_view(coordination.READ)
def listing(request: StaffRequest) -> HttpResponse:
    counts = coordination.counts(request.actor.scope)
    names = shapes.Names()
    rows = DataList(
        request,
        coordination.matters(request.actor.scope),
        name="matters",
        caption="协调事项",
        columns=[
            Column("事项", "number", kind="code"),
            Column("标题", "subject"),
            Column("找谁", lambda row: coordination.PARTIES[row.party].label, minor=True),
            Column("什么事", _kind),
            Column("状态", lambda row: states.badge("matter", row.state)),
            Column("期限", _due, sort="due", kind="number"),
            Column("负责人", lambda row: names[row.owner] if row.owner else "—"),
            Column("提出", "opened_at", sort="opened", kind="number", minor=True),
        ],
        sorts={"due": ("stage", "due_on", "id"), "opened": ("opened_at", "id")},
        filters=[
            Filter(
                "party",
                "找谁",
                lambda found, code: found.filter(party=code),
                [
                    (code, f"{party.label.partition('（')[0]} {_count(counts[code])}".strip())
                    for code, party in coordination.PARTIES.items()
                ],
                kind="tabs",
            ),
            Filter(
                "state",
                "状态",
                lambda found, code: found.filter(state=code),
                list(coordination.MATTER.choices),
            ),
            Filter(
                "whose",
                "谁的",
                lambda found, code: found.filter(owner=request.actor.username),
                [("mine", "我的")],
            ),
            Filter("q", "编号、标题或所涉对象", _found, kind="search"),
        ],
        url=lambda row: reverse("city:matter", args=[row.number]),
        label=lambda row: row.number,
        unit="项",
        empty=Empty(
            "没有协调事项", "要请一卡通、北京通、卡厂等办的事，在这里提出、催办、登记答复。", icon="messages"
        ),
    )
    shown = {
        "title": "协调事项",
        "sub": "超期的在前；期限按工作日算。",
        "actions": [_new_action()] if request.actor.may(coordination.WORK) else [],
        "list": rows,
    }
    return render(request, "objects/list.html", shown)


@require_http_methods(["GET", "POST"])
@portal_view(coordination.WORK)
def new(request: StaffRequest) -> HttpResponse:
    """From a dead letter, a difference or an interface it comes filled in."""
    given = {name: request.GET[name] for name in MatterForm.base_fields if name in request.GET}
    form = MatterForm(request.POST) if request.method == "POST" else MatterForm(initial=given)
    problem = None
    if request.method == "POST" and form.is_valid():
        asked = form.cleaned_data
        party, _, kind = asked["what"].partition(".")
        try:
            found = coordination.open_matter(
                request.actor,
                party,
                kind,
                asked["subject"],
                asked["text"],
                about_kind=asked["about_kind"],
                about=asked["about"],
                owner=asked["owner"],
            )
        except XuekaError as refusal:
            problem = refusal
        else:
            flash(request, f"{found.number} 已提出，期限 {formats.short_day(found.due_on)}。")
            return redirect("city:matter", found.number)
    shown = {
        "title": "新的协调事项",
        "words": "期限从今天起按工作日算；办理经过只增不改。",
        "form": form,
        "problem": problem,
        "button": "提出",
        "back": Link("协调事项", reverse("city:matters")),
    }
    return render(request, "city/form.html", shown, status=400 if problem or form.errors else 200)


@require_GET
@portal_view(coordination.READ)
def one(request: StaffRequest, number: str) -> HttpResponse:
    found = coordination.matter(request.actor.scope, number)
    may = request.actor.may(coordination.WORK)
    names = shapes.Names()
    about = about_link(found.about_kind, found.about)
    shown = {
        "found": found,
        "head": ObjectHead(
            found.subject,
            found.number,
            coordination.PARTIES[found.party].label,
            states.badge("matter", found.state),
            facts=[
                Fact("什么事", _kind(found)),
                Fact("期限", _due(found)),
                Fact("负责人", names[found.owner] if found.owner else "—"),
                Fact("提出", found.opened_at, names[found.opened_by]),
                *([Fact(coordination.ABOUT[found.about_kind], about)] if about else []),
            ],
            actions=_actions(request, found) if may else [],
        ),
        "events": [_event(each, names[each.by]) for each in reversed(coordination.file_of(found))],
        "may": may,
        "is_open": found.state not in coordination.ENDED,
        "files": [
            (Link(each.file.name, reverse("city:matter_file", args=[number, each.id])), each)
            for each in coordination.attachments_of(found)
        ],
        "accept": ",".join(f".{each}" for each in coordination.KINDS),
        "most": coordination.LARGEST_MB,
        "attach_url": reverse("city:matter_act", args=[number, "attach"]),
        "note_url": reverse("city:matter_act", args=[number, "note"]),
        "due_url": reverse("city:matter_act", args=[number, "due"]),
        "assign_url": reverse("city:matter_act", args=[number, "assign"]),
        "back": Link("协调事项", reverse("city:matters")),
    }
    return render(request, "city/interfaces/matter.html", shown)


@require_POST
@portal_view(coordination.WORK)
def act(request: StaffRequest, number: str, verb: str) -> HttpResponse:
    actor, told = request.actor, request.POST
    found = coordination.matter(actor.scope, number)
    if verb in _STEPS:
        coordination.step(actor, found.id, verb, told.get("note", ""))
        flash(request, f"{number}：{_STEPS[verb][0]}，已记下。")
    elif verb == "note":
        coordination.note(actor, found.id, told.get("note", ""))
        flash(request, "已记下。")
    elif verb == "attach":
        made = _attach(actor, found, request.FILES.get("file"), told.get("note", ""))
        flash(request, f"{made.file.name} 已收下。")
    elif verb == "assign":
        coordination.assign(actor, found.id, told.get("owner", "") or actor.username)
        flash(request, "负责人已更换。")
    elif verb == "due":
        coordination.set_due(actor, found.id, _day(told.get("due_on", "")), told.get("note", ""))
        flash(request, "期限已改。")
    else:
        raise Http404
    return redirect("city:matter", number)


@require_GET
@portal_view(coordination.READ)
def download(request: StaffRequest, number: str, attachment_id: int) -> HttpResponse:
    """To be saved, never shown here: others have made it."""
    with transaction.atomic():
        name, content = coordination.read_attachment(request.actor, number, attachment_id)
    return attachment(name, content, "application/octet-stream")


def _attach(
    actor: Actor, found: coordination.Matter, file: UploadedFile | None, note: str
) -> coordination.Attachment:
    if file is None:
        raise BadInput("FILE_MISSING", "没有收到文件。", action="请选择文件后再上传。")
    content = file.read((coordination.LARGEST_MB << 20) + 1)  # one more than may be: then it is refused
    return coordination.attach(actor, found.id, file.name or "", content, note)


def about_link(kind: str, name: str) -> Link | None:
    """Where a matter's object is looked at; its bare name where there is no page."""
    if not kind:
        return None
    said = name
    if kind == "message":
        way, _, message = name.partition(":")
        page, arguments = "city:interface_message", [way, message]
        said = f"{words.WAYS.get(way, way)}的 {message}"
    else:
        page, arguments = _PAGES[kind], [name]
    try:
        return Link(said, reverse(page, args=arguments))
    except NoReverseMatch:
        return Link(said)


def _actions(request: StaffRequest, found: coordination.Matter) -> list[Action]:
    shown = [
        Action(
            label,
            reverse("city:matter_act", args=[found.number, verb]),
            "post",
            icon,
            tone,
            confirm=Confirm(label, found.subject, label, "required", reason_label=asked),
        )
        for verb, (label, icon, asked, tone) in _STEPS.items()
        if coordination.MATTER.allows(verb, found.state)
    ]
    if found.state not in coordination.ENDED and found.owner != request.actor.username:
        mine = reverse("city:matter_act", args=[found.number, "assign"])
        shown.append(Action("由我负责", mine, "post", "user-check"))
    return shown


def _event(line: coordination.Line, by: str) -> Event:
    """A step is headed by what was done, everything else by what it is."""
    done, _, said = line.text.partition("：") if line.kind == "step" else ("", "", line.text)
    return Event(done or coordination.LINES[line.kind], line.at, by, said, _TONES[line.kind])


def _new_action() -> Action:
    return Action("提出事项", reverse("city:matter_new"), icon="plus", tone="primary")


def _kind(row: coordination.Matter) -> str:
    return coordination.PARTIES[row.party].kinds[row.kind].label


def _due(row: coordination.Matter) -> Badge | str:
    if row.state in coordination.ENDED:
        return formats.short_day(row.due_on)
    said = f"{formats.short_day(row.due_on)}，{formats.due(row.due_on)}"
    return Badge(said, "bad") if coordination.is_overdue(row) else said


def _count(counted: tuple[int, int, int]) -> str:
    many, overdue, _ = counted
    return f"{many}（超期 {overdue}）" if overdue else str(many) if many else ""


def _found(rows: QuerySet, text: str) -> QuerySet:
    text = text.strip()
    return rows.filter(Q(number=text.upper()) | Q(subject__contains=text) | Q(about=text))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(
            "DAY_WRONG", "日期不对。", where="期限", found=text[:20], expected="年-月-日"
        ) from None
