"""An extract of the audit log to take away: numbered, with the auditor's name on every sheet, and logged."""

import csv
import io
import secrets
from collections.abc import Sequence

import xlsxwriter
from django.http import HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from xueka.entrypoints.design import formats
from xueka.entrypoints.portals.city.audit import RESULTS, narrowed
from xueka.entrypoints.portals.common import deeds, details
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.kernel.text import as_cell
from xueka.platform.audit.models import Entry
from xueka.platform.audit.services import record
from xueka.platform.identity.permissions import ROLES
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

MOST = 50_000
ROWS_PER_SHEET = 10_000
HEAD = (
    "编号",
    "时间",
    "用户名",
    "姓名",
    "角色",
    "范围",
    "来自",
    "动作",
    "动作代码",
    "对象种类",
    "对象号",
    "结果",
    "详情",
)


@never_cache
@require_POST
@portal_view("city:audit:read")
def export(request: StaffRequest) -> HttpResponse:
    """What the filters of the list show, as XLSX or CSV."""
    rows = list(narrowed(request).order_by("-id")[: MOST + 1])
    if len(rows) > MOST:
        raise Refused(
            "TOO_MANY_ROWS",
            f"一次最多导出 {MOST} 条。",
            found=f"超过 {MOST} 条",
            action="请用时间、使用者或动作缩小范围。",
        )
    kind = "csv" if request.POST.get("kind") == "csv" else "xlsx"
    number = f"SJ{clock.today():%Y%m%d}-{secrets.token_hex(3).upper()}"
    who = f"{request.actor.name}（{request.actor.username}）"
    mark = f"审计导出 {number} · {who} · {formats.moment(clock.now())}"
    record(
        request.actor,
        "audit.export",
        "audit_export",
        number,
        detail={"rows": len(rows), "kind": kind, "filters": request.POST.get("filters", "")[:500]},
    )
    content = _csv(mark, rows) if kind == "csv" else _xlsx(mark, rows)
    types = {
        "csv": "text/csv; charset=utf-8",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    }
    disposition = f'attachment; filename="{number}.{kind}"'
    return HttpResponse(content, content_type=types[kind], headers={"Content-Disposition": disposition})


def _cells(entry: Entry) -> list[str]:
    found = [
        str(entry.pk), clock.local(entry.at).strftime("%Y-%m-%d %H:%M:%S"), entry.actor, entry.actor_name,
        _role(entry.role), entry.scope, entry.address, deeds.act(entry.action), entry.action,
        deeds.thing(entry.object_type), entry.object_id, RESULTS[entry.result].text,
        details.told(entry.detail, most=2000),
    ]  # fmt: skip
    return [as_cell(text) for text in found]


def _role(code: str) -> str:
    return ROLES[code].label if code in ROLES else code


def _csv(mark: str, rows: Sequence[Entry]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([mark])
    writer.writerow(HEAD)
    writer.writerows(_cells(entry) for entry in rows)
    writer.writerow([mark])
    return ("\ufeff" + out.getvalue()).encode()


def _xlsx(mark: str, rows: Sequence[Entry]) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False}) as book:
        pale = book.add_format({"font_color": "#8a8a8a"})
        for start in range(0, max(len(rows), 1), ROWS_PER_SHEET):
            sheet = book.add_worksheet(f"审计{start // ROWS_PER_SHEET + 1}")
            sheet.set_header(f"&C{mark}")
            sheet.set_footer(f"&C{mark} · 第 &P 页")
            sheet.write_string(0, 0, mark, pale)
            sheet.write_row(1, 0, HEAD)
            sheet.set_column(1, len(HEAD) - 1, 18)
            for at, entry in enumerate(rows[start : start + ROWS_PER_SHEET], 2):
                for column, text in enumerate(_cells(entry)):
                    sheet.write_string(at, column, text)
    return out.getvalue()
