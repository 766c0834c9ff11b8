"""The week as a workbook with control totals: every payment, refund, break, and the four sides."""

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from xueka.contexts.ledger import api as ledger
from xueka.contexts.payments import api as payments
from xueka.contexts.receipts import api as receipts
from xueka.contexts.treasury import api as treasury
from xueka.entrypoints.design.downloads import xlsx
from xueka.entrypoints.portals.finance import looks, weeks
from xueka.entrypoints.portals.finance.nav import READ
from xueka.kernel import clock
from xueka.platform.audit import services as audit
from xueka.platform.files.workbook import Origin, Sheet, write
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view


@require_GET
@portal_view(READ)
def week_file(request: StaffRequest) -> HttpResponse:
    """Amounts are whole fen, so that a sum in the workbook is exact."""
    week, actor = weeks.of_request(request), request.actor
    days = (week.monday, week.sunday)
    found = treasury.sides(actor.scope, *days)
    paid = payments.payment_rows(actor.scope).filter(state="succeeded", success_at__date__range=days)
    back = payments.refund_rows(actor.scope).filter(asked_at__date__range=days)
    broken = treasury.breaks(actor.scope).filter(day__range=days)
    moved = ledger.turnover(actor.scope, *days)
    at_end = ledger.balances(actor.scope, week.sunday)
    sheets = [
        Sheet(
            "四方",
            [
                "渠道",
                "结算",
                "笔数",
                "订单（分）",
                "订单外（分）",
                "渠道账单（分）",
                "财政确认（分）",
                "账簿（分）",
            ],
            [
                [
                    looks.CHANNELS[each.channel],
                    looks.settlement(each.settlement),
                    each.payments,
                    each.orders_fen,
                    each.stray_fen,
                    each.stated_fen,
                    each.confirmed_fen,
                    each.booked_fen,
                ]
                for each in found
            ],
        ),
        Sheet(
            "收款",
            [
                "订单号",
                "商户订单号",
                "渠道",
                "渠道单号",
                "成功时间",
                "实收（分）",
                "其中订单外（分）",
                "结算",
                "所在周结",
            ],
            (
                [
                    each.order.number,
                    each.out_trade_no,
                    looks.CHANNELS[each.channel],
                    each.channel_id,
                    each.success_at,
                    each.received_fen,
                    each.stray_fen,
                    looks.settlement(each.settlement),
                    each.remitted_in,
                ]
                for each in paid.select_related("order").order_by("id").iterator(2000)
            ),
        ),
        Sheet(
            "退款",
            ["退款单号", "订单号", "途径", "状态", "金额（分）", "原因", "申请时间", "到账时间"],
            (
                [
                    each.number,
                    each.order.number,
                    payments.WAYS[each.way],
                    payments.REFUND.state(each.state).label,
                    each.amount_fen,
                    each.reason,
                    each.asked_at,
                    each.success_at,
                ]
                for each in back.select_related("order").order_by("id").iterator(2000)
            ),
        ),
        Sheet(
            "差错",
            ["差错", "渠道", "日期", "金额（分）", "单号", "渠道单号", "状态", "说明", "说明人", "签认人"],
            (
                [
                    treasury.BREAK_KINDS[each.kind],
                    looks.CHANNELS[each.channel],
                    each.day,
                    each.fen,
                    looks.break_about(each),
                    each.channel_id,
                    treasury.BREAK.state(each.state).label,
                    each.explanation,
                    each.explained_by,
                    each.signed_by,
                ]
                for each in broken.order_by("id").iterator(2000)
            ),
        ),
        Sheet(
            "票据",
            ["票据代码", "票据号码", "订单号", "种类", "金额（分）", "开具时间"],
            (
                [
                    each.code,
                    each.number,
                    each.order.number,
                    "红票" if each.refund_id else "蓝票",
                    each.amount_fen,
                    each.issued_at,
                ]
                for each in receipts.issued(actor.scope, *days).iterator(2000)
            ),
        ),
        Sheet(
            "科目",
            ["科目", "借方（分）", "贷方（分）", "周末余额（分）"],
            [[account.title, *moved[code], at_end[code]] for code, account in ledger.ACCOUNTS.items()],
        ),
    ]
    title = f"资金-{week.code}"
    origin = Origin(title, f"{actor.name}（{actor.username}）", clock.now(), filters=[("周", week.label)])
    content, totals = write(sheets, origin)
    audit.record(
        actor, "finance.export", "ledger", week.code, detail={"rows": totals.rows, "digest": totals.digest}
    )
    return xlsx(f"{title}.xlsx", content)
