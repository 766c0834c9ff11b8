"""A transfer asked for on a page, by either side."""

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from xueka.contexts.registry import api as registry
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.ui import Link
from xueka.entrypoints.portals.objects import transfer_rows
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.sessions import StaffRequest


class TransferForm(WordedForm):
    education_id = forms.CharField(label="学生的教育ID", max_length=16)
    name = forms.CharField(
        label="学生姓名", max_length=100, required=False, help_text="转入的一方申请时必填，须与学籍一致。"
    )
    to_school = forms.CharField(label="转入学校的标识码", max_length=10)
    reason = forms.CharField(label="理由", max_length=200, help_text="例如：随父母工作调动搬家。")


def page(request: StaffRequest, portal: str, words: str, initial: dict[str, str]) -> HttpResponse:
    form = TransferForm(request.POST or None, initial=initial)
    status = 200
    if request.method == "POST":
        if form.is_valid():
            try:
                asked = transfer_rows.ask(request.actor, form.cleaned_data)
            except XuekaError as error:
                form.add_error(None, f"{error.message}{error.action or ''}")
            else:
                _tell(request, asked)
                return redirect(f"{portal}:transfers")
        status = 400
    back = Link("转学", reverse(f"{portal}:transfers"))
    return render(
        request, "objects/transfer_new.html", {"form": form, "words": words, "back": back}, status=status
    )


def _tell(request: StaffRequest, asked: registry.Transfer) -> None:
    warned = "".join(registry.TIMING[code] for code in asked.warnings)
    said = "已转学。" if asked.state == "closed" else "已申请，等待对方确认。"
    flash(request, f"{asked.student.name}：{said}{warned}", "wait" if warned else "ok")
