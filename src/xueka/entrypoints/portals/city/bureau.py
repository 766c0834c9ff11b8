"""The card bureau: address and keys under two people, our own public keys, and what came lately."""

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.production import api as production
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.ui import Action, Empty, Link
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_LARGEST_KEY = 16 * 1024
_KEYS = ("host_key", "signing_key", "encryption_key")


class BureauForm(WordedForm):
    """Address and keys. For a bureau that is known, a key without a new file stays as it is."""

    code = forms.SlugField(
        label="代号", max_length=32, initial="bureau", help_text="英文字母、数字、连字符，例如 bureau。"
    )
    name = forms.CharField(label="卡厂名称", max_length=64)
    host = forms.CharField(label="服务器地址", max_length=100, help_text="域名或 IP，不带协议。")
    port = forms.IntegerField(label="端口", min_value=1, max_value=65535, initial=22)
    username = forms.CharField(label="登录名", max_length=64)
    host_key = forms.FileField(
        label="主机公钥", help_text="一行 OpenSSH 公钥（.pub），连接时用来认出卡厂的服务器。"
    )
    signing_key = forms.FileField(label="签名公钥", help_text="SM2 公钥（PEM），用来核对回盘文件的签名。")
    encryption_key = forms.FileField(
        label="加密公钥",
        required=False,
        help_text="SM2 公钥（PEM），制卡数据用它加密。卡厂只有一对密钥时不用另交。",
    )

    def __init__(self, *args: object, known: production.Partner | None = None, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.known = known
        if known:
            self.fields["code"].disabled = True
            for name in _KEYS:
                self.fields[name].required = False
                self.fields[name].help_text += "不交新文件则不变。"  # type: ignore[operator]

    def clean(self) -> dict[str, object]:
        for name in _KEYS:
            self.cleaned_data[name] = self._key(name, self.cleaned_data.get(name))
        self.cleaned_data["encryption_key"] = (
            self.cleaned_data["encryption_key"] or (self.cleaned_data["signing_key"])
        )
        return self.cleaned_data

    def _key(self, name: str, file: UploadedFile | None) -> str:
        if file is None:
            return str(getattr(self.known, name)) if self.known else ""
        content = file.read(_LARGEST_KEY + 1)
        if len(content) > _LARGEST_KEY or not content.isascii():
            self.add_error(name, f"{file.name} 不是公钥文件。请核对后重新选择。")
            return ""
        return content.decode("ascii")


@require_http_methods(["GET", "POST"])
@portal_view("city:partner:manage")
def enter(request: StaffRequest, code: str = "") -> HttpResponse:
    """Enter a bureau, or change one that is known; nothing is sent until the second person has confirmed."""
    known = next((each for each in production.partners(request.actor.scope) if each.code == code), None)
    if code and known is None:
        raise Http404
    fields = ("code", "name", "host", "port", "username")
    initial = {name: getattr(known, name) for name in fields} if known else None
    form = BureauForm(request.POST or None, request.FILES or None, initial=initial, known=known)
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            partner = production.register_partner(request.actor, **form.cleaned_data)
        except XuekaError as refusal:
            problem = refusal
        else:
            flash(request, f"{partner.name}已录入。请由另一人与卡厂通话，核对两个指纹后确认。", "wait")
            return redirect("city:bureau")
    shown = {
        "form": form,
        "known": known,
        "problem": problem,
        "back": Link("卡厂", reverse("city:bureau")),
    }
    status = 400 if problem or form.errors else 200
    return render(request, "city/bureau_enter.html", shown, status=status)


@require_GET
@portal_view("city:batch:read")
def our_key(request: StaffRequest, name: str) -> HttpResponse:
    """One of our public keys as the file that the bureau registers."""
    ours = production.public_keys()
    files = {"city-sign.pub.pem": ours.signing_key, "city-ssh.pub": f"{ours.ssh_key}\n"}
    if name not in files:
        raise Http404
    answer = HttpResponse(files[name], content_type="text/plain; charset=us-ascii")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _delivery(name: str, found: production.Delivery) -> dict[str, object]:
    """A kind's row: how its keys reach the bureau, and what waits for a second person."""
    waiting, asked = found.waiting, found.asked
    return {
        "kind": found.kind,
        "name": name,
        "way": production.KEY_WAYS[found.plan.way],
        "masters": [each.label for each in found.plan.masters],
        "reference": found.plan.reference,
        "waiting": waiting,
        "asked_way": production.KEY_WAYS[asked.way] if asked else "",
        "asked_masters": [each.label for each in asked.masters] if asked else [],
        "asked_by": shapes.actor_name(waiting.entered_by) if waiting else "",
    }


@require_POST
@portal_view("city:partner:manage")
def confirm_keys(request: StaffRequest) -> HttpResponse:
    """The second person repeats the digest of what the first one entered."""
    kind = request.POST.get("kind", "")
    production.confirm_delivery(request.actor, kind, request.POST.get("digest", ""))
    flash(request, "卡密钥的交付方式已启用，下一批制卡文件起照此办理。")
    return redirect("city:bureau")


@require_GET
@portal_view("city:batch:read")
def page(request: StaffRequest) -> HttpResponse:
    actor = request.actor
    may = actor.may("city:partner:manage")
    partners = production.partners(actor.scope)
    for each in partners:
        each.entered_name = shapes.actor_name(each.entered_by)  # type: ignore[attr-defined]
        each.confirmed_name = shapes.actor_name(each.confirmed_by)  # type: ignore[attr-defined]
    new = Action(
        "登记卡厂", reverse("city:bureau_enter"), icon="plus", tone="default" if partners else "primary"
    )
    shown = {
        "partners": partners,
        "actions": [new] if may and partners else [],
        "nobody": Empty(
            "还没有登记卡厂",
            "请准备好卡厂交来的地址、主机公钥和 SM2 公钥文件。",
            new if may else None,
            "building-factory-2",
        ),
        "may_confirm": may,
        "me": actor.username,
        "ours": production.public_keys(),
        "inbox": production.inbox(actor.scope),
        "deliveries": [_delivery(kind.name, found) for kind, found in production.deliveries()],
    }
    return render(request, "city/bureau.html", shown)


@require_POST
@portal_view("city:partner:manage")
def confirm(request: StaffRequest) -> HttpResponse:
    """The second person types both fingerprints as the bureau reads them out."""
    posted = request.POST
    partner = production.confirm_partner(
        request.actor, posted.get("code", ""), posted.get("signing", ""), posted.get("encryption", "")
    )
    flash(request, f"{partner.name} 的公钥已由第二人确认，可以传送文件。")
    return redirect("city:bureau")


@require_POST
@portal_view("city:partner:manage")
def retry(request: StaffRequest) -> HttpResponse:
    production.retry_now(request.actor)
    flash(request, "系统会在几秒内重新连接卡厂。")
    return redirect("city:bureau")
