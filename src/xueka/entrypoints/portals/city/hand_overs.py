"""Hand-overs of blanks in and out: the list, a new one, its printed sheet, its correction."""

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from xueka.contexts.numbers import api as numbers
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Action, Badge, Empty, Fact, Link
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view


class SlipForm(WordedForm):
    """What stands on the paper that both people sign."""

    counterparty = forms.CharField(label="对方单位", max_length=64)
    given_by = forms.CharField(label="交出人", max_length=64, help_text="签字交出的人的姓名。")
    received_by = forms.CharField(
        label="接收人", max_length=64, help_text="签字接收的人的姓名，不能与交出人相同。"
    )
    document = forms.CharField(label="交接单据", max_length=100, help_text="双方签字的交接单编号。")

    def slip(self, quantity: int, rejected: int = 0, note: str = "") -> numbers.Slip:
        said = self.cleaned_data
        return numbers.Slip(
            quantity,
            said["given_by"],
            said["received_by"],
            said["document"],
            rejected=rejected,
            counterparty=said["counterparty"],
            note=note,
        )


class HandOverForm(SlipForm):
    quantity = forms.IntegerField(label="张数", min_value=0, max_value=10_000_000)
    note = forms.CharField(label="备注", max_length=200, required=False)

    field_order = ["quantity", "counterparty", "given_by", "received_by", "document", "note"]


class ReceiveForm(HandOverForm):
    """Back from the company: good ones, and those that failed there."""

    rejected = forms.IntegerField(
        label="其中不合格另计", min_value=0, initial=0, help_text="一起收回、但初始化失败不能用的张数。"
    )

    field_order = ["quantity", "rejected", "counterparty", "given_by", "received_by", "document", "note"]


class LotForm(HandOverForm):
    """In and out of stock, without an initialisation order."""

    purpose = forms.ChoiceField(
        label="用途",
        choices=[
            (code, f"{numbers.DIRECTIONS[way]}：{words}")
            for code, (way, words) in numbers.PURPOSES.items()
            if code in ("to_bureau", "from_bureau", "receive")
        ],
    )
    lot = forms.ChoiceField(label="批号")

    field_order = [
        "purpose",
        "lot",
        "quantity",
        "counterparty",
        "given_by",
        "received_by",
        "document",
        "note",
    ]

    def __init__(self, *args: object, lots: list[numbers.LotStock], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["lot"].choices = [  # type: ignore[attr-defined]
            (each.number, f"{each.number}（{each.supplier}，{each.quantity:,} 张）") for each in lots
        ]


@require_GET
@portal_view("city:range:read")
def listing(request: StaffRequest) -> HttpResponse:
    new = Action("登记交接", reverse("city:hand_over_new"), icon="plus", tone="primary")
    rows = DataList(
        request,
        numbers.hand_over_rows(request.actor.scope),
        name="hand_overs",
        caption="交接记录",
        columns=[
            Column("交接号", "number", kind="code"),
            Column("出入", direction),
            Column("用途", purpose),
            Column("张数", lambda row: row.quantity + row.rejected, kind="number"),
            Column("对方单位", "counterparty"),
            Column("交出人", "given_by"),
            Column("接收人", "received_by"),
            Column("单据", "document", minor=True),
            Column("时间", "at", sort="at", kind="number", minor=True),
        ],
        sorts={"at": ("at", "id")},
        default_sort="-at",
        filters=[
            Filter(
                "purpose",
                "用途",
                lambda found, code: found.filter(purpose=code),
                [(code, words) for code, (_, words) in numbers.PURPOSES.items()],
                kind="tabs",
            ),
            Filter("q", "交接号", lambda found, text: found.filter(number__iexact=text), kind="search"),
            Filter("lot", "批号", lambda found, text: found.filter(lot__number=text), kind="search"),
        ],
        url=lambda row: reverse("city:hand_over", args=[row.number]),
        label=lambda row: row.number,
        unit="份",
        empty=Empty(
            "还没有交接记录", "空白卡每次出入库都在这里留一份双方签字的记录。", icon="arrows-exchange"
        ),
    )
    shown = {
        "title": "空白卡交接",
        "sub": "谁交出、谁接收、凭哪份单据；登记后不能改动，写错的另作更正。",
        "actions": [new] if request.actor.may("city:range:manage") else [],
        "back": Link("排产与交接", reverse("city:schedule")),
        "list": rows,
    }
    return render(request, "objects/list.html", shown)


@require_http_methods(["GET", "POST"])
@portal_view("city:range:manage")
def new(request: StaffRequest) -> HttpResponse:
    """A hand-over in or out of stock; those of an initialisation order are made on its page."""
    lots = numbers.stock(request.actor.scope)
    form = LotForm(request.POST or None, lots=lots, initial={"lot": request.GET.get("lot", "")})
    problem = None
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            made = numbers.hand_over(
                request.actor,
                said["purpose"],
                form.slip(said["quantity"], note=said["note"]),
                lot=said["lot"],
            )
        except XuekaError as refusal:
            problem = refusal
        else:
            flash(request, f"交接记录 {made.number} 已登记。请打印交接单，双方签字。")
            return redirect("city:hand_over", made.number)
    shown = {
        "title": "登记交接",
        "words": "空白卡发往卡厂、从卡厂退回，或一批卡到货时补登签字。",
        "form": form,
        "problem": problem,
        "button": "登记",
        "back": Link("空白卡交接", reverse("city:hand_overs")),
    }
    return render(request, "city/form.html", shown, status=400 if problem or form.errors else 200)


@require_GET
@portal_view("city:range:read")
def sheet(request: StaffRequest, number: str) -> HttpResponse:
    """The record, and the sheet that both people sign."""
    found = numbers.hand_over_record(request.actor.scope, number)
    replaced = getattr(found, "replaced_by", None)
    may = request.actor.may("city:range:manage") and not replaced and found.purpose != "to_supplier"
    correct = Action("更正", reverse("city:hand_over_correct", args=[number]), icon="edit")
    facts = [
        Fact("用途", purpose(found)),
        Fact("出入", direction(found)),
        Fact("张数", found.quantity),
        *([Fact("不合格", found.rejected)] if found.purpose == "receive" else []),
        Fact("对方单位", found.counterparty),
        Fact("交接单据", found.document),
        Fact("批号", _lot(found)),
        Fact("排产单", _order(found)),
        *([Fact("内容", found.contents)] if found.contents else []),
        *([Fact("备注", found.note)] if found.note else []),
        Fact("登记", found.at, shapes.actor_name(found.recorded_by)),
    ]
    shown = {
        "record": found,
        "facts": facts,
        "actions": [correct] if may else [],
        "replaces": _link(found.replaces),
        "replaced_by": _link(replaced),
        "back": Link("空白卡交接", reverse("city:hand_overs")),
    }
    return render(request, "city/hand_over.html", shown)


@require_http_methods(["GET", "POST"])
@portal_view("city:range:manage")
def correct(request: StaffRequest, number: str) -> HttpResponse:
    """Replace a record that was written down wrongly; both stay."""
    found = numbers.hand_over_record(request.actor.scope, number)
    kind = ReceiveForm if found.purpose == "receive" else HandOverForm
    fields = ("quantity", "rejected", "counterparty", "given_by", "received_by", "document")
    form = kind(request.POST or None, initial={name: getattr(found, name) for name in fields})
    form.fields["note"].label, form.fields["note"].required = "更正的理由", True
    form.fields["quantity"].help_text = "填 0 表示这次交接没有发生。"
    problem = None
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            made = numbers.correct_hand_over(
                request.actor, number, form.slip(said["quantity"], said.get("rejected", 0)), said["note"]
            )
        except XuekaError as refusal:
            problem = refusal
        else:
            flash(request, f"{number} 已由 {made.number} 更正；两份都保留。")
            return redirect("city:hand_over", made.number)
    shown = {
        "title": f"更正 {number}",
        "words": "原记录不改动，另记一份正确的代替它。",
        "form": form,
        "problem": problem,
        "button": "登记更正",
        "back": Link(number, reverse("city:hand_over", args=[number])),
    }
    return render(request, "city/form.html", shown, status=400 if problem or form.errors else 200)


def direction(found: numbers.HandOver) -> Badge:
    """出库 or 入库; a replaced record says so."""
    if getattr(found, "replaced_by", None):
        return Badge("已更正", "ended")
    tone, icon = ("progress", "arrow-up-right") if found.direction == "out" else ("ok", "arrow-down-left")
    return Badge(numbers.DIRECTIONS[found.direction], tone, icon)


def purpose(found: numbers.HandOver) -> str:
    """What it was for, in words: 发往卡厂."""
    return numbers.PURPOSES[found.purpose][1]


def _lot(found: numbers.HandOver) -> Link | str:
    return Link(found.lot.number, reverse("city:lot", args=[found.lot.number])) if found.lot else ""


def _order(found: numbers.HandOver) -> Link | str:
    if not found.order:
        return ""
    return Link(found.order.number, reverse("city:schedule_order", args=[found.order.number]))


def _link(found: numbers.HandOver | None) -> Link | None:
    return Link(found.number, reverse("city:hand_over", args=[found.number])) if found else None
