"""Setting the days of a term and what the city means to hand out in each week of it."""

from collections.abc import Mapping
from datetime import date

from django.db import IntegrityError, connection, transaction

from xueka.contexts.reporting.domain.terms import check_days, default_term
from xueka.contexts.reporting.models import ConfiguredTerm, PlannedWeek
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict
from xueka.platform.audit import services as audit
from xueka.platform.identity.actor import Actor

MOST = 2_000_000  # cards a week


def set_term(actor: Actor, code: str, begins: date, ends: date) -> None:
    """Fix the days of a term. Raises BadInput, and Conflict where it would overlap another one."""
    actor.require("city:plan:manage")
    default_term(code)
    check_days(begins, ends)
    before = ConfiguredTerm.objects.filter(code=code).values("begins", "ends").first()
    try:
        with transaction.atomic():
            ConfiguredTerm.objects.update_or_create(
                code=code,
                defaults={
                    "begins": begins,
                    "ends": ends,
                    "set_by": actor.username,
                    "set_at": clock.now(),
                },
            )
    except IntegrityError:
        raise Conflict(
            "TERM_OVERLAPS",
            "与另一学期的日期重叠。",
            found=f"{begins} 至 {ends}",
            action="请先核对两个学期的起止日期。",
        ) from None
    former = {"before": {name: str(day) for name, day in before.items()}} if before else {}
    audit.record(actor, "term.set", "term", code, detail={"begins": str(begins), "ends": str(ends), **former})


def set_plan(actor: Actor, code: str, weeks: Mapping[int, int]) -> None:
    """Replace the plan of a term: week number → cards. Weeks that are left out have no plan."""
    actor.require("city:plan:manage")
    configured = ConfiguredTerm.objects.filter(code=code).first()
    default = default_term(code)
    term = default if configured is None else type(default)(code, configured.begins, configured.ends)
    known = {week.number for week in term.weeks}
    for number, planned in weeks.items():
        if number not in known:
            raise BadInput(
                "PLAN_WEEK",
                f"{term.label}没有第 {number} 周。",
                found=number,
                expected=f"1 至 {max(known)}",
                action="请刷新页面后重填。",
            )
        if not 0 <= planned <= MOST:
            raise BadInput(
                "PLAN_CARDS",
                f"第 {number} 周的计划数不对。",
                where=f"第 {number} 周",
                found=planned,
                expected=f"0 至 {MOST}",
                action="请改正后再保存。",
            )
    with connection.cursor() as cursor:  # of two who save at once the second replaces what the first saved
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('reporting.plan'))")
    before = dict(PlannedWeek.objects.filter(term=code).values_list("week", "cards"))
    PlannedWeek.objects.filter(term=code).delete()
    PlannedWeek.objects.bulk_create(
        PlannedWeek(term=code, week=number, cards=planned) for number, planned in sorted(weeks.items())
    )
    changed = {
        str(week): {"from": before.get(week), "to": weeks.get(week)}
        for week in sorted({*before, *weeks})
        if before.get(week) != weeks.get(week)
    }
    audit.record(
        actor,
        "plan.set",
        "term",
        code,
        detail={"weeks": len(weeks), "cards": sum(weeks.values()), "changed": changed},
    )
