"""What replacements cost, version by version, and our accounts at the channels."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from xueka.contexts.cards import api as cards
from xueka.contexts.payments import api as payments
from xueka.entrypoints.design import formats
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.ui import Badge, DropZone
from xueka.entrypoints.portals.finance import looks
from xueka.entrypoints.portals.finance.nav import READ
from xueka.kernel import clock
from xueka.kernel.errors import BadInput
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view


@require_http_methods(["GET", "POST"])
@portal_view(READ)
def tariffs(request: StaffRequest) -> HttpResponse:
    if request.method == "POST":
        return _adopt(request)
    present = payments.tariff_on(clock.today()).version
    kinds = {kind.code: kind.name for kind in cards.kinds()}
    shown = {
        "versions": [
            (
                f"{each.version}（{_standing(each, present)}），{formats.day(each.valid_from)} 起执行",
                [_line(line, kinds) for line in each.lines],
            )
            for each in payments.tariffs()
        ],
        "accounts": [
            (
                looks.CHANNELS[each.code],
                payments.SETTLEMENTS[each.settlement],
                payments.FEE_BEARERS[each.fee_bearer],
                each.merchant_id,
                Badge("在用", "ok") if each.is_open else Badge("停用", "stop"),
            )
            for each in payments.accounts(request.actor.scope)
        ],
        "drop": DropZone(
            reverse("finance:tariffs"),
            label="把新的收费标准（TOML）拖到这里",
            hint="写明版本、执行日期和每种情形的收费；已开立的订单不变。",
            accept=".toml",
            button="采用",
        )
        if request.actor.may("city:tariff:manage")
        else None,
    }
    return render(request, "finance/tariffs.html", shown)


def _adopt(request: StaffRequest) -> HttpResponse:
    given = request.FILES.get("file")
    if given is None:
        raise BadInput("FILE_MISSING", "没有收到文件。", action="请选择收费标准文件后再试。")
    made = payments.adopt_tariff(request.actor, given.read(), given.name or "tariff.toml")
    flash(request, f"已采用 {made.version}，{formats.day(made.valid_from)} 起执行。")
    return redirect("finance:tariffs")


def _standing(found: payments.Tariff, present: str) -> str:
    if found.version == present:
        return "现行"
    return "待执行" if found.valid_from > clock.today() else "已停用"


def _line(line: payments.TariffLine, kinds: dict[str, str]) -> tuple[str, str, str, str, str]:
    return (
        "、".join(payments.REASONS[code] for code in line.reasons),
        "、".join(kinds.get(code, code) for code in line.kinds) or "全部",
        f"第 {line.before + 1} 次起" if line.before else "每次",
        formats.yuan(line.fen) + ("（罚没收入）" if line.fine else "") if line.fen else "免费",
        line.why,
    )
