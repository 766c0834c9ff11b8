"""What could not be posted: why, when it is tried again, and trying it now."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.payments import api as payments
from xueka.contexts.treasury import api as treasury
from xueka.entrypoints.design import formats
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.ui import Action, Empty, Link
from xueka.entrypoints.portals.finance.nav import READ
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

POST = "city:ledger:post"
_FORMS = {"trade": "交易账单", "fund": "资金账单"}


@require_GET
@portal_view(READ)
def listing(request: StaffRequest) -> HttpResponse:
    found = treasury.unposted(request.actor.scope)
    shown = {
        "rows": [_row(each) for each in found],
        "may": request.actor.may(POST),
        "empty": Empty("都入账了", "没能入账的款项出现在这里，系统会自动再试。", icon="circle-check"),
    }
    return render(request, "finance/postings.html", shown)


@require_POST
@portal_view(POST)
def again(request: StaffRequest, kind: str, row_id: int) -> HttpResponse:
    treasury.post_now(request.actor, kind, row_id)
    flash(request, "几秒内再入账；入了账的从这里消失。")
    return redirect("finance:postings")


def _row(each: treasury.Unposted) -> dict[str, object]:
    return {
        "what": _what(each.about),
        "day": each.day,
        "amount": formats.yuan(each.fen),
        "problem": each.problem or "原因在系统日志里。",
        "tries": each.tries,
        "next": each.next_at,
        "again": Action(
            "现在再试", reverse("finance:posting_again", args=[each.kind, each.id]), "post", "refresh"
        ),
    }


def _what(about: treasury.Confirmation | treasury.Statement | treasury.BreakRow) -> Link:
    if isinstance(about, treasury.Confirmation):
        page = f"{reverse('finance:confirmations')}?{urlencode({'q': about.pay_code})}"
        return Link(f"财政确认 {about.pay_code}", page)
    channel = payments.CHANNELS.get(about.channel, about.channel)
    if isinstance(about, treasury.Statement):
        page = reverse("finance:statement", args=[about.channel, about.kind, about.day.isoformat()])
        return Link(f"{channel}{_FORMS.get(about.kind, '账单')} {about.day:%Y-%m-%d}", page)
    return Link(f"{treasury.BREAK_KINDS[about.kind]} {about.key}", reverse("finance:break", args=[about.id]))
