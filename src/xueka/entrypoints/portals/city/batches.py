"""Batches: the list, and making a new one from what is accepted."""

from django import forms
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from xueka.contexts.cards import api as cards
from xueka.contexts.production import api as production
from xueka.entrypoints.design import states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Action, Empty, Link
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.districts import DISTRICTS
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

LARGEST = 50_000


class NewBatch(WordedForm):
    kind = forms.ChoiceField(label="卡种")
    district = forms.ChoiceField(
        label="区", required=False, choices=[("", "全市"), *DISTRICTS.items()], help_text="不选为全市。"
    )
    limit = forms.IntegerField(
        label="最多张数",
        min_value=1,
        max_value=LARGEST,
        initial=2000,
        help_text="按学校、班级顺序取，取满为止。",
    )
    title = forms.CharField(label="说明", required=False, max_length=100, help_text="例如：秋季首发第一批")

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = [(kind.code, kind.name) for kind in cards.kinds()]  # type: ignore[attr-defined]


@require_GET
@portal_view("city:batch:read")
def listing(request: StaffRequest) -> HttpResponse:
    may_create = request.actor.may("city:batch:create")
    new = Action("新建批次", reverse("city:batch_new"), icon="plus", tone="primary")
    names = shapes.Names()
    rows = DataList(
        request,
        production.batch_rows(request.actor.scope),
        name="batches",
        caption="制卡批次",
        columns=[
            Column("批次", "number", kind="code"),
            Column("说明", "title"),
            Column("卡种", "kind__name", minor=True),
            Column("张数", "card_count", kind="number"),
            Column("状态", lambda row: states.badge("batch", row.state)),
            Column("锁定", lambda row: names[row.locked_by], minor=True),
            Column("复核", lambda row: names[row.approved_by], minor=True),
            Column("建立", "created_at", sort="created", kind="number"),
        ],
        sorts={"created": ("created_at", "id")},
        default_sort="-created",
        filters=[
            Filter(
                "state",
                "状态",
                lambda found, code: found.filter(state=code),
                [(state.code, state.label) for state in production.BATCH.states],
            ),
            Filter(
                "q",
                "批次号或说明",
                lambda found, text: found.filter(Q(number__iexact=text) | Q(title__contains=text)),
                kind="search",
            ),
        ],
        url=lambda row: reverse("city:batch", args=[row.number]),
        label=lambda row: row.number,
        unit="批",
        empty=Empty(
            "还没有批次",
            "受理后的申领组成批次，经第二个人复核后送卡厂。",
            new if may_create else None,
            "stack-2",
        ),
    )
    shown = {
        "title": "制卡批次",
        "sub": "从受理后的申领组批，两人经手，送卡厂，核对回盘，每张卡有着落才能结批。",
        "actions": [new] if may_create else [],
        "list": rows,
    }
    return render(request, "objects/list.html", shown)


@require_http_methods(["GET", "POST"])
@portal_view("city:batch:create")
def new(request: StaffRequest) -> HttpResponse:
    """Choose kind, district and size; the page says how many wait."""
    form = NewBatch(request.POST or None)
    scope = request.actor.scope
    if request.method == "POST" and form.is_valid():
        kind, district = form.cleaned_data["kind"], form.cleaned_data["district"]
        waiting = production.waiting_applications(scope, kind)
        if district:
            waiting = waiting.filter(school__district=district)
        chosen = list(waiting.values_list("id", flat=True)[: form.cleaned_data["limit"]])
        if chosen:
            batch = production.create_batch(request.actor, kind, chosen, form.cleaned_data["title"])
            flash(
                request, f"批次 {batch.number} 已建立，{batch.card_count} 张。请核对后锁定，再由另一人复核。"
            )
            return redirect("city:batch", batch.number)
        form.add_error("kind", "没有已受理、等待制卡的申领。请换一个区或卡种，或先去受理。")
    links = [
        Link(each.name, note=f"{production.waiting_applications(scope, each.code).count():,} 份等待制卡")
        for each in cards.kinds()
    ]
    status = 400 if form.errors else 200
    return render(request, "city/batch_new.html", {"form": form, "waiting": links}, status=status)
