"""The figures of the statistics page as a workbook with control totals. No person is in it."""

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from xueka.contexts.reporting import api as reporting
from xueka.entrypoints.design.downloads import xlsx
from xueka.entrypoints.portals.objects.statistics import place_of, places_of
from xueka.kernel import clock
from xueka.platform.audit import services as audit
from xueka.platform.files.workbook import Origin, Sheet, write
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_FIGURES = (
    ("students", "应持卡学生"),
    ("holding", "持卡"),
    ("without", "无卡"),
    ("applying", "审核中"),
    ("accepted", "已受理"),
    ("making", "制作中"),
    ("on_way", "在途"),
    ("at_school", "到校待发"),
    ("handed_out", "本学期发放"),
    ("replaced", "本学期补换"),
    ("reported_lost", "本学期挂失"),
    ("returned", "本学期退回"),
    ("without_photo", "缺照片"),
    ("without_consent", "缺监护人同意"),
)


@require_GET
@portal_view("school:statistics:read")
def file(request: StaffRequest) -> HttpResponse:
    place, term = place_of(request), reporting.term(request.GET.get("term", ""))
    scope, code = place.scope, term.code
    days = reporting.throughput(scope, term.begins, term.ends)
    measures = list(reporting.MEASURE_LABELS.items())
    sheets = [
        Sheet(
            "各单位",
            ["代码", "名称", *(label for _, label in _FIGURES)],
            [[each.code, each.name, *(getattr(each.figures, name) for name, _ in _FIGURES)]
             for each in places_of(scope, code)],
        ),
        Sheet(
            "按周",
            ["周", "开始", "结束", "计划发放", "实际发放"],
            [[week.number, week.begins, week.ends, week.planned, week.handed_out]
             for week in reporting.plan_progress(scope, code)],
        ),
        Sheet(
            "按日",
            ["日", *(label for _, label in measures)],
            [[day.day, *(day.of(name) for name, _ in measures)] for day in days if day.counts],
        ),
        Sheet(
            "用时",
            ["环节", "件数", "中位数（小时）", "九成在（小时）内"],
            [[each.label, each.count, each.median_hours, each.p90_hours]
             for each in reporting.turnaround(scope, code)],
        ),
        Sheet(
            "申领原因",
            ["原因", "份数"],
            [[each.label, each.count] for each in reporting.replacements(scope, code)],
        ),
    ]  # fmt: skip
    actor = request.actor
    title = f"学生卡统计-{place.name}-{term.code}"
    filters = [("单位", place.name), ("学期", term.label)]
    content, totals = write(
        sheets, Origin(title, f"{actor.name}（{actor.username}）", clock.now(), filters=filters)
    )
    audit.record(
        actor, "statistics.export", "statistics", str(scope), detail={"term": code, "digest": totals.digest}
    )
    return xlsx(f"{title}.xlsx", content)
