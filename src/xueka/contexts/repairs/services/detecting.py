"""The detectors: what waits too long, stands alone or contradicts itself, as a list somebody owns."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection

from xueka.contexts.repairs.models import Finding
from xueka.contexts.repairs.services.repairing import CHECKED
from xueka.kernel import clock
from xueka.kernel.errors import NotFound
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor
from xueka.platform.invariants import check

LISTED = 500
"""So many findings of one detector are kept; the rest has the same cause."""


class Detector(NamedTuple):
    """`sql` answers (key, detail, since); `suggests` is a kind of repair, whose `param` is the key.

    `days` is how long is too long; installations change it by REPAIR_PATIENCE.
    """

    code: str
    label: str
    advice: str
    sql: str
    suggests: str = ""
    param: str = ""
    days: int = 0


DETECTORS: dict[str, Detector] = {
    each.code: each
    for each in (
        Detector(
            "accepted_not_batched",
            "已受理却没有组批",
            "请组批，或取消申领。",
            """SELECT p.number, k.name, p.updated_at FROM cards_application p
                 JOIN cards_cardkind k ON k.code = p.kind_id
                WHERE p.state = 'accepted' AND p.updated_at < %(before)s AND NOT EXISTS (
                      SELECT 1 FROM production_batchitem i JOIN production_batch b ON b.id = i.batch_id
                       WHERE i.application_id = p.id AND b.state NOT IN ('closed', 'dissolved'))""",
            days=7,
        ),
        Detector(
            "made_not_packed",
            "已制成却没有装箱",
            "请装箱发运。",
            """SELECT number, '', state_at FROM cards_card
                WHERE state = 'made' AND state_at < %(before)s""",
            days=7,
        ),
        Detector(
            "box_long_on_the_way",
            "卡箱在途过久",
            "请向承运方查询；丢失的登记丢失。",
            """SELECT b.number, d.carrier || ' ' || d.waybill, d.dispatched_at FROM logistics_box b
                 JOIN logistics_delivery d ON d.id = b.delivery_id
                WHERE b.state = 'in_transit' AND d.dispatched_at < %(before)s""",
            days=10,
        ),
        Detector(
            "at_school_not_handed_out",
            "到校过久没有发放",
            "请联系学校；学生已离校的作废。",
            """SELECT number, '', state_at FROM cards_card
                WHERE state = 'at_school' AND state_at < %(before)s""",
            days=60,
        ),
        Detector(
            "ordered_not_returned",
            "下单过久没有回盘",
            "请向卡厂催问。",
            """SELECT number, '', state_at FROM cards_card
                WHERE state = 'ordered' AND state_at < %(before)s""",
            days=30,
        ),
        Detector(
            "number_without_card",
            "号码占着却没有要发的卡",
            "请查看号码的去向。",
            """SELECT u.sort || ' ' || u.number, coalesce(c.number, ''), u.at FROM numbers_numberuse u
                 LEFT JOIN cards_card c ON c.id = u.card_id
                WHERE u.state = 'assigned' AND (c.id IS NULL OR c.state NOT IN (
                      'planned', 'ordered', 'made', 'packed', 'in_transit', 'at_school', 'issuing',
                      'ready'))""",
        ),
        Detector(
            "voided_by_mistake",
            "作废后原样找回的卡",
            "卡还在的可以恢复。",
            """SELECT c.number, h.reason, h.at FROM cards_card c JOIN LATERAL (
                      SELECT event, reason, at FROM history_transition
                       WHERE machine = 'card' AND object_id = c.id ORDER BY seq DESC LIMIT 1) h ON true
                WHERE c.state = 'void' AND h.event = 'found'""",
        ),
        Detector(
            "photo_unused",
            "照片没有用在任何申领上",
            "学生不再申领的请清理。",
            """SELECT f.id::text, s.education_id, f.uploaded_at FROM cards_photo f
                 JOIN registry_student s ON s.id = f.student_id
                WHERE f.uploaded_at < %(before)s AND NOT EXISTS (
                      SELECT 1 FROM cards_application p JOIN cards_cardaccount a ON a.id = p.account_id
                       WHERE a.student_id = f.student_id)""",
            days=180,
        ),
        Detector(
            "two_records_one_person",
            "疑似一人两条学籍",
            "核对后可合并。",
            """SELECT a.education_id || ' ' || b.education_id, a.name, greatest(a.created_at, b.created_at)
                 FROM registry_student a JOIN registry_student b
                   ON b.name = a.name AND b.birth_year = a.birth_year AND b.sex = a.sex AND b.id > a.id
                      AND b.phone_index = a.phone_index
                WHERE a.status IN ('在校', '借读') AND b.status IN ('在校', '借读')""",
            "join",
            "keep drop",
        ),
        Detector(
            "consent_of_who_left",
            "已离校学生的同意仍然有效",
            "请按离校处理同意记录。",
            """SELECT s.education_id, s.status, c.at FROM registry_student s JOIN LATERAL (
                      SELECT action, at FROM registry_consent WHERE student_id = s.id
                       ORDER BY id DESC LIMIT 1) c ON c.action = 'given'
                WHERE s.status IN ('转出', '退学', '死亡')""",
        ),
        Detector(
            "state_without_step",
            "状态变了却没有经过",
            "请用自由修复改回，或补上经过。",
            """SELECT c.number, c.state || ' / ' || h.to_state, c.state_at FROM cards_card c JOIN LATERAL (
                      SELECT to_state FROM history_transition
                       WHERE machine = 'card' AND object_id = c.id ORDER BY seq DESC LIMIT 1) h ON true
                WHERE h.to_state <> c.state""",
            "free",
        ),
        Detector(
            "clock_drift",
            "经过的时间倒流或在未来",
            "请核对服务器时钟。",
            """SELECT machine || ' ' || object_id || '/' || seq, event, at
                 FROM (SELECT machine, object_id, seq, event, at,
                              lag(at) OVER (PARTITION BY machine, object_id ORDER BY seq) AS earlier
                         FROM history_transition) step
                WHERE at < earlier OR at > %(now)s + interval '5 minutes'""",
        ),
        Detector("invariant", "核对项不成立", "请交技术人员核对，再用修复改正。", ""),
    )
}


def detect(actor: Actor) -> dict[str, int]:
    """Run every detector and every invariant, bring the list up to date; open findings by detector.

    What is seen again keeps its owner and its age; what is gone is closed.
    """
    actor.require("city:repair:propose")
    now = clock.now()
    for each in DETECTORS.values():
        rows = _invariants(now) if each.code == "invariant" else _rows(each, now)
        _keep(each, rows, now)
    counts = open_counts()
    record(actor, "repair.detect", "finding", detail={"open": counts})
    return counts


def take(actor: Actor, finding_id: int) -> Finding:
    """Somebody sees to it."""
    actor.require("city:repair:propose")
    rows = Finding.objects.visible_to(actor.scope).select_for_update().filter(id=finding_id, gone_at=None)
    if (found := rows.first()) is None:
        raise NotFound("FINDING_NOT_FOUND", "没有这一项，可能已经解决。")
    found.owner = actor.username
    found.save(update_fields=["owner"])
    record(actor, "repair.take", "finding", found.id, detail={"detector": found.detector, "key": found.key})
    return found


def open_counts() -> dict[str, int]:
    """Open findings by detector."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT detector, count(*) FROM repairs_finding WHERE gone_at IS NULL GROUP BY 1 ORDER BY 1"
        )
        return dict(cursor.fetchall())


def _rows(each: Detector, now: Any) -> list[tuple[str, str, Any]]:
    days = settings.REPAIR_PATIENCE.get(each.code, each.days)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT * FROM ({each.sql}) AS found (key, detail, since) ORDER BY since LIMIT %(limit)s",  # noqa: S608
            {"before": now - timedelta(days=days), "now": now, "limit": LISTED},
        )
        return cursor.fetchall()


def _invariants(now: Any) -> list[tuple[str, str, Any]]:
    results = (check(each) for each in CHECKED)
    return [
        (result.name, f"{result.title}：{'、'.join(result.examples)}", now)
        for result in results
        if result.violated
    ]


def _keep(each: Detector, rows: list[tuple[str, str, Any]], now: Any) -> None:
    known = {found.key: found for found in Finding.objects.filter(detector=each.code, gone_at=None)}
    new = []
    for key, detail, since in rows:
        if found := known.get(key[:100]):
            found.last_seen, found.detail = now, (detail or "")[:200]
        else:
            new.append(
                Finding(
                    detector=each.code,
                    key=key[:100],
                    detail=(detail or "")[:200],
                    since=since,
                    first_seen=now,
                    last_seen=now,
                    suggests=each.suggests,
                    params=_params(each, key, detail or ""),
                )
            )
    seen = {key[:100] for key, _, _ in rows}
    for key, found in known.items():
        found.gone_at = None if key in seen else now
    Finding.objects.bulk_update(known.values(), ["last_seen", "detail", "gone_at"])
    Finding.objects.bulk_create(new)


def _params(each: Detector, key: str, detail: str) -> Mapping[str, str]:
    if each.code == "state_without_step":
        here, there = detail.split(" / ")
        return {"what": "card", "field": "state", "keys": key, "old": here, "new": there}
    return dict(zip(each.param.split(), key.split(), strict=False))
