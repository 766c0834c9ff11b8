"""What the city sees beside its pages: the operator's line, the auditor's log."""

from collections.abc import Callable, Iterator
from functools import wraps

from django.urls import reverse

from xueka.contexts.cards import api as cards
from xueka.contexts.coordination import api as coordination
from xueka.contexts.couriers import api as couriers
from xueka.contexts.interop import api as interop
from xueka.contexts.logistics import api as logistics
from xueka.contexts.multiapp import api as multiapp
from xueka.contexts.numbers import api as numbers
from xueka.contexts.personalization import api as personalization
from xueka.contexts.production import api as production
from xueka.contexts.repairs import api as repairs
from xueka.contexts.reporting import api as reporting
from xueka.contexts.takeover import api as takeover
from xueka.contexts.transit import api as transit
from xueka.entrypoints.design import states
from xueka.entrypoints.design.nav import Hit, NavGroup, NavItem, Notice, Portal, register, register_search
from xueka.entrypoints.portals.city import home
from xueka.entrypoints.portals.objects.nav import late_replacements, open_blocks, refused_bindings
from xueka.platform.exchange import queries as exchange
from xueka.platform.identity.sessions import StaffRequest

states.register(
    production.BATCH,
    {
        "open": "neutral",
        "locked": "wait",
        "approved": "progress",
        "ready": "progress",
        "sent": "progress",
        "bounced": "bad",
        "acknowledged": "progress",
        "reconciling": "wait",
        "closed": "ok",
        "dissolved": "ended",
    },
)


states.register(
    takeover.TAKEOVER,
    {
        "checked": "wait",
        "approved": "progress",
        "loaded": "ok",
        "back_asked": "wait",
        "taking_back": "progress",
        "taken_back": "ended",
        "settled": "ok",
        "dropped": "ended",
        "compared": "ok",
    },
)
states.register(
    repairs.REPAIR,
    {
        "proposed": "wait",
        "applied": "ok",
        "undo_asked": "wait",
        "undone": "ended",
        "refused": "bad",
        "withdrawn": "ended",
    },
)
states.register(
    numbers.INITIALISATION,
    {"planned": "neutral", "at_company": "progress", "received": "ok", "short": "bad", "cancelled": "ended"},
)
for machine, tones in (
    (multiapp.UNIT, {"in_use": "ok", "closed": "ended"}),
    (
        multiapp.CARD_GRANT,
        {
            "proposed": "wait",
            "agreed": "neutral",
            "in_force": "ok",
            "suspended": "stop",
            "expired": "bad",
            "revoked": "bad",
            "released": "ended",
            "refused": "bad",
            "withdrawn": "ended",
        },
    ),
    (
        multiapp.SAM,
        {
            "in_stock": "neutral",
            "loaded": "progress",
            "issued": "ok",
            "returned": "wait",
            "lost": "bad",
            "destroyed": "ended",
        },
    ),
    (multiapp.RISK, {"open": "bad", "settled": "ended"}),
    (multiapp.STOCK_TAKE, {"open": "wait", "signed": "ok", "cancelled": "ended"}),
    (multiapp.CREDENTIAL, {"active": "ok", "ending": "wait", "ended": "ended", "revoked": "bad"}),
):
    states.register(machine, tones)


_REVIEWED = {
    "draft": "neutral",
    "in_review": "wait",
    "approved": "progress",
    "in_force": "ok",
    "retired": "ended",
}
states.register(
    interop.DIFFERENCE,
    {"open": "bad", "sent": "wait", "taken": "wait", "left": "neutral", "gone": "ended"},
)
states.register(
    coordination.MATTER,
    {"open": "neutral", "asked": "progress", "answered": "wait", "done": "ok", "cancelled": "ended"},
)
states.register(interop.NUMBER_REQUEST, {"asked": "wait", "granted": "ok", "declined": "bad"})
states.register(interop.TONG_APPLICATION, {"working": "ok", "blocked": "stop", "withdrawn": "bad"})
states.register(personalization.PROFILE, _REVIEWED)
states.register(personalization.SCRIPT, _REVIEWED)
states.register(personalization.AGENT, {"enrolled": "ok", "stopped": "bad", "blocked": "stop"})
states.register(
    personalization.SESSION,
    {
        "waiting": "wait",
        "running": "progress",
        "unknown": "bad",
        "probing": "progress",
        "verified": "ok",
        "void": "bad",
        "failed": "neutral",
        "cancelled": "ended",
    },
)


def _once(count: Callable[[StaffRequest], int]) -> Callable[[StaffRequest], int]:
    """The bell and the menu show the same number: it is asked for once a page."""

    @wraps(count)
    def counted(request: StaffRequest) -> int:
        known: dict[str, int] = request.__dict__.setdefault("city_counts", {})
        if count.__name__ not in known:
            known[count.__name__] = count(request)
        return known[count.__name__]

    return counted


def _repairs(request: StaffRequest) -> int:
    return repairs.waiting(request.actor.scope)


def _grants(request: StaffRequest) -> int:
    return multiapp.waiting_grants(request.actor.scope)


def _risks(request: StaffRequest) -> int:
    return multiapp.open_risks(request.actor.scope)


def _overdue(request: StaffRequest) -> int:
    return numbers.overdue(request.actor.scope)


def _papers(request: StaffRequest) -> int:
    return transit.waiting_papers(request.actor.scope)


def _to_review(request: StaffRequest) -> int:
    return cards.application_counts(request.actor.scope, states=["city_review"]).get("city_review", 0)


@_once
def _problems(request: StaffRequest) -> int:
    return sum(production.problem_counts(request.actor.scope).values())


def _exports(request: StaffRequest) -> int:
    return reporting.waiting_exports(request.actor.scope)


@_once
def _parcel_problems(request: StaffRequest) -> int:
    return couriers.open_problems(request.actor.scope)


@_once
def _discrepancies(request: StaffRequest) -> int:
    return logistics.open_discrepancies(request.actor.scope)


@_once
def _stopped(request: StaffRequest) -> int:
    return exchange.dead_count()


@_once
def _pressing(request: StaffRequest) -> int:
    return coordination.pressing(request.actor.scope)


def search(request: StaffRequest, query: str) -> Iterator[Hit]:
    """A batch by its number or title."""
    if not request.actor.may("city:batch:read"):
        return
    for found in production.batches(request.actor.scope, search=query, limit=5):
        title = " ".join(part for part in (found.number, found.title) if part)
        detail = f"{found.card_count:,} 张 · {states.badge('batch', found.state).text}"
        url = reverse("city:batch", args=[found.number])
        yield Hit("制卡批次", title, url, detail, found.number == query.upper())


def notices(request: StaffRequest) -> list[Notice]:
    """What cannot wait: numbers that run out, problems, batches for a second person."""
    scope = request.actor.scope
    low = [
        Notice(f"{gauge.label}快用完：还剩 {gauge.left:,} 个", gauge.url, tone="bad")
        for gauge in home.gauges(scope)
        if gauge.is_low
    ]
    counted = (
        (_problems(request), "个回盘问题没有处理", reverse("city:problems"), "bad"),
        (_discrepancies(request), "个收货差异没有处理", reverse("city:discrepancies"), "bad"),
        (_parcel_problems(request), "个问题运件没有处理", reverse("city:parcel_problems"), "bad"),
        (_stopped(request), "条交换消息停下，等人处理", reverse("city:interfaces"), "bad"),
        (_pressing(request), "个协调事项超期或已有答复", reverse("city:matters"), "wait"),
        (
            production.batch_counts(scope).get("locked", (0, 0, None))[0],
            "个批次等第二个人复核",
            f"{reverse('city:batches')}?state=locked",
            "wait",
        ),
    )
    return (
        low
        + late_replacements(scope)
        + [Notice(f"{count} {words}", url, tone=tone) for count, words, url, tone in counted if count]
    )


register_search(search)
register(
    Portal(
        "city",
        "市级运营",
        "city:home",
        frozenset({"city_operator"}),
        [
            NavGroup(
                "今天",
                [
                    NavItem("流水线", "city:home", "layout-dashboard"),
                    NavItem("统计", "objects:statistics", "chart-bar", "school:statistics:read"),
                ],
            ),
            NavGroup(
                "受理与制卡",
                [
                    NavItem("受理", "objects:review", "checks", "city:application:review", _to_review),
                    NavItem("制卡批次", "city:batches", "stack-2", "city:batch:read"),
                    NavItem("回盘问题", "city:problems", "alert-triangle", "city:problem:read", _problems),
                    NavItem("号段与空白卡", "city:numbers", "number-123", "city:range:read"),
                    NavItem("柜台空白卡", "city:counters", "credit-card", "city:range:read"),
                    NavItem("排产与交接", "city:schedule", "arrows-exchange", "city:range:read", _overdue),
                    NavItem(
                        "一卡通往来", "city:transit_papers", "arrows-exchange", "city:range:read", _papers
                    ),
                    NavItem("卡厂", "city:bureau", "building-factory-2", "city:batch:read"),
                ],
            ),
            NavGroup(
                "柜台写卡",
                [
                    NavItem("写卡记录", "city:sessions", "cpu", "city:personalization:read"),
                    NavItem("发卡代理", "city:agents", "device-desktop", "city:personalization:read"),
                    NavItem("卡片结构", "city:profiles", "file-code", "city:personalization:read"),
                ],
            ),
            NavGroup(
                "配送",
                [
                    NavItem("装箱发运", "city:deliveries", "truck-delivery", "city:delivery:pack"),
                    NavItem("运件跟踪", "city:parcels", "package", couriers.WORK),
                    NavItem(
                        "问题运件", "city:parcel_problems", "package-off", couriers.WORK, _parcel_problems
                    ),
                    NavItem("销毁", "city:destructions", "trash", "city:card:destroy"),
                    NavItem(
                        "收货差异", "city:discrepancies", "package-off", "city:card:void", _discrepancies
                    ),
                ],
            ),
            NavGroup(
                "接口",
                [
                    NavItem("接口总览", "city:interfaces", "plug-connected", "city:interop:read", _stopped),
                    NavItem("核对差异", "city:interface_differences", "git-compare", "city:interop:read"),
                    NavItem("市民更正", "city:corrections", "user-edit", "city:interop:read"),
                    NavItem("消息追踪", "city:trace", "route", "city:interop:read"),
                    NavItem("协调事项", "city:matters", "messages", coordination.READ, _pressing),
                ],
            ),
            NavGroup(
                "学年",
                [NavItem("升级、毕业、学校", "city:year", "calendar-event", "city:year:manage")],
            ),
            NavGroup(
                "接管与修复",
                [
                    NavItem("接管", "city:takeover", "database-import", "city:takeover:load"),
                    NavItem("差错修复", "city:repairs", "tool", "city:repair:propose", _repairs),
                ],
            ),
            NavGroup(
                "合作单位",
                [
                    NavItem("应用单位", "city:units", "building-community", "city:unit:read"),
                    NavItem("卡上授权", "city:card_grants", "device-sd-card", "city:unit:read", _grants),
                    NavItem("安全模块", "city:sams", "cpu", "city:unit:read", _risks),
                    NavItem("黑名单", "city:hot_list", "ban", "city:unit:read"),
                ],
            ),
            NavGroup(
                "查询",
                [
                    NavItem("学生", "objects:students", "users", "school:student:read"),
                    NavItem("同意书", "objects:consents", "file-certificate", "school:student:read"),
                    NavItem("申领", "objects:applications", "file-check", "school:application:read"),
                    NavItem("补卡换卡", "objects:replacements", "refresh", "school:replacement:read"),
                    NavItem("学生卡", "objects:cards", "id", "school:card:read"),
                    NavItem("公交有效期", "objects:transit", "bus", "school:transit:read"),
                    NavItem("民生卡权益", "objects:entitlements", "gift", "school:welfare:read"),
                    NavItem("公交实名", "objects:bindings", "user-check", transit.MANAGE, refused_bindings),
                    NavItem("公交停用", "objects:transit_blocks", "ban", transit.MANAGE, open_blocks),
                    NavItem("公交延期", "objects:transit_extend", "calendar-plus", transit.EXTEND),
                    NavItem("名单导出", "objects:exports", "file-download", "school:export:ask", _exports),
                    NavItem("学籍导入", "city:imports", "file-import", "city:registry:import"),
                    NavItem("学籍缺失", "city:absences", "user-question", "city:registry:import"),
                ],
            ),
            NavGroup(
                "短信邮件",
                [
                    NavItem("短信", "city:messages", "message", "city:message:read"),
                    NavItem("邮件", "city:mails", "mail", "city:message:read"),
                ],
            ),
            NavGroup(
                "设置",
                [
                    NavItem("学期与计划", "city:plan", "calendar-stats", "city:plan:manage"),
                    NavItem("备份", "city:backups", "database", "city:backup:read"),
                ],
            ),
        ],
        notices,
    )
)
register(
    Portal(
        "audit",
        "审计",
        "city:audit",
        frozenset({"auditor"}),
        [
            NavGroup(
                "审计",
                [
                    NavItem("审计日志", "city:audit", "clipboard-list", "city:audit:read"),
                    NavItem("名单导出", "objects:exports", "file-download", "city:export:read"),
                    NavItem("权限一览", "admin:matrix", "table", "city:policy:read"),
                    NavItem("密钥", "custodian:home", "key", "city:key:read"),
                ],
            ),
            NavGroup(
                "查询",
                [
                    NavItem("制卡批次", "city:batches", "stack-2", "city:batch:read"),
                    NavItem("学生卡", "objects:cards", "id", "school:card:read"),
                    NavItem("应用单位", "city:units", "building-community", "city:unit:read"),
                    NavItem("安全模块", "city:sams", "cpu", "city:unit:read"),
                ],
            ),
        ],
    )
)
