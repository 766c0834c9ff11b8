"""One command makes a whole city (`xueka demo city`)."""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.contexts.registry import api as registry
from xueka.kernel.clock import SHANGHAI, SimulatedClock, now, simulated
from xueka.kernel.errors import Refused
from xueka.platform.audit import chain
from xueka.platform.database import migrate
from xueka.simulation import fresh_money, staff, tills
from xueka.simulation import issuing as line
from xueka.simulation.city_size import belongings, histories, inhabitants, issuing, making, road
from xueka.simulation.city_size.bulk import WORTH_IT, bare, execute, in_lanes, one, tidy
from xueka.simulation.city_size.plan import YEAR, plan
from xueka.simulation.world import World

#: Beijing: 1,867 schools for 1.3 million students.
SCHOOLS, STUDENTS = 1_867, 1_300_000
DISTRICTS = 16
_HEAVY = [
    "cards.CardAccount",
    "cards.Application",
    "cards.Card",
    "numbers.NumberUse",
    "production.BatchItem",
    "logistics.Delivery",
    "logistics.Box",
    "logistics.BoxCard",
    "registry.Consent",
    "registry.Enrolment",
    "history.Transition",
]


@dataclass(frozen=True, slots=True)
class Plan:
    """How large a city, and which dice."""

    students: int = STUDENTS
    seed: int = 1

    @property
    def schools(self) -> int:
        return max(DISTRICTS, round(SCHOOLS * self.students / STUDENTS))


def build(order: Plan, tell: Callable[[str], None]) -> dict[str, Any]:
    """Fill the present database, which must be empty; says what it made, and what it took.

    Runs as the owner of the database. Raises Refused `HOME_NOT_EMPTY`.
    """
    if registry.Student.objects.exists():
        raise not_empty()
    began = time.monotonic()
    clock = SimulatedClock(datetime(YEAR, 8, 25, 9, tzinfo=SHANGHAI))
    with simulated(clock):
        tell(f"导入 {order.students:,} 名学生、{order.schools:,} 所学校")
        inhabitants.move_in(order.seed, order.students, order.schools)
        with migrate.as_owner():
            _fill(order, tell)
    tell("近几周有家庭补卡、缴费、退款")
    _lately(order, tell)
    tell("封存审计日志")
    with migrate.as_owner():
        belongings.log_ins()
    chain.seal()
    execute("ANALYZE")
    return {**_made(), "seconds": round(time.monotonic() - began, 1), "peak_mb": _peak()}


def _lately(order: Plan, tell: Callable[[str], None]) -> None:
    """Some families pay at the simulators; the week before last is closed, the last waits for finance."""
    world = World(order.seed, SimulatedClock(now() - timedelta(days=16)), tell)
    with simulated(world.clock), tills.running(seed=order.seed, faults="light") as counters:
        fresh_money.leave(world, counters, pause_days=7)


def not_empty() -> Refused:
    """A city is made in an empty home only."""
    return Refused(
        "HOME_NOT_EMPTY",
        "这个数据目录里已有数据，不能再建一座城市。",
        action="请用环境变量 XUEKA_HOME 指定一个空目录。",
    )


def _fill(order: Plan, tell: Callable[[str], None]) -> None:
    seed, size = order.seed, order.students
    tell("排定每张卡的经历")
    tidy()
    in_lanes([lambda: plan(seed, size)])
    in_lanes([issuing.numbers_for_all, issuing.applications_plan, road.plan_road])
    execute(f"UPDATE cards_cardkind SET photo_required = false WHERE code = '{line.KIND}'")  # noqa: S608
    tell("写入账户、申领、卡、批次、卡箱与历史")
    makers = [issuing.accounts, issuing.applications, issuing.physical_cards, making.batches, making.files]
    makers += [making.packages_and_returns, making.items, road.deliveries_and_boxes, road.contents]
    others = [histories.of_cards, histories.of_applications, histories.of_accounts, histories.of_the_road]
    others += [
        lambda: belongings.consents(seed),
        lambda: belongings.enrolments(seed),
        lambda: belongings.transfers(seed),
    ]
    with bare(_HEAVY, size):
        if size < WORTH_IT:
            in_lanes([*makers, issuing.number_uses, histories.of_batches, *others])
        else:
            in_lanes([*makers, issuing.number_uses, histories.of_batches], others)
        tell("建立索引与约束")
    belongings.destructions()
    belongings.officers()
    belongings.audit()
    tidy()


def _made() -> dict[str, Any]:
    return {
        "students": registry.Student.objects.count(),
        "schools": registry.School.objects.count(),
        "accounts": cards.CardAccount.objects.count(),
        "applications": cards.Application.objects.count(),
        "cards": cards.Card.objects.count(),
        "card_states": dict(sorted(cards.card_counts(staff.CITY).items())),
        "batches": int(one("SELECT count(*) FROM production_batch")),
        "deliveries": logistics.Delivery.objects.count(),
        "boxes": logistics.Box.objects.count(),
        "history": int(one("SELECT count(*) FROM history_transition")),
        "audit": int(one("SELECT count(*) FROM audit_entry")),
    }


def _peak() -> int:
    """MiB that this process and the largest of its helpers have used at most."""
    own, helper = (
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return (own + helper) // 1024
