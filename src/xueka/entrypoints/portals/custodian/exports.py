"""A key block for a named receiver: asked for with a preview, and taken away once two people agree."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.views.decorators.http import require_http_methods, require_POST

from xueka.contexts.keys import api as keys
from xueka.entrypoints.design.downloads import attachment
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.ui import Fact
from xueka.entrypoints.portals.custodian import lineage
from xueka.entrypoints.portals.custodian.asking import ASK, previewed
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view


class ExportForm(WordedForm):
    receiver = forms.CharField(label="接收方", max_length=64, help_text="单位和部门，例如 样例卡厂 密钥室。")
    under = forms.ChoiceField(label="传输密钥", help_text="须是与接收方共有的那一把；持有它的人都能打开。")
    why = forms.CharField(label="原因", max_length=200)


@require_http_methods(["GET", "POST"])
@portal_view(ASK)
def plan(request: StaffRequest, label: str, number: int) -> HttpResponse:
    scope = request.actor.scope
    version = keys.version(scope, label, number)
    form = ExportForm(request.POST if request.method == "POST" else None)
    under = form.fields["under"]
    assert isinstance(under, forms.ChoiceField)
    under.choices = [(each.label, f"{each.title}（{each.label}）") for each in keys.export_keys(scope)]

    def params(given: dict[str, Any]) -> dict[str, Any]:
        return {"version": number, "under": given["under"], "receiver": given["receiver"]}

    def facts(tidy: dict[str, Any]) -> list[Fact]:
        transport = keys.active(tidy["under"])
        return [
            Fact("导出", f"{version.key.title} 第 {number} 版（{label}）"),
            Fact("校验值", version.kcv),
            Fact("接收方", tidy["receiver"]),
            Fact("传输密钥", f"{transport.label} 第 {transport.version} 版，校验值 {transport.kcv}"),
            Fact("用它制成的卡", f"{lineage.exposed(scope, version).total:,} 张"),
        ]

    sub = f"{version.key.title} 第 {number} 版：密钥块只有持有传输密钥的一方能打开。"
    return previewed(request, form, "export", label, "导出密钥块", sub, params, facts)


@require_POST
@portal_view(ASK)
def take(request: StaffRequest, number: str) -> HttpResponse:
    """The block as a file; who took it is on record."""
    _, block = keys.take_block(request.actor, number)
    return attachment(f"{number}.txt", f"{block}\n".encode(), "text/plain; charset=us-ascii")
