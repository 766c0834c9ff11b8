"""The other system beside ours, both ways, by joins over whole tables; differences with age and sign-off."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection

from xueka.contexts.takeover.domain import format as f
from xueka.contexts.takeover.domain.transitions import COMPARED, TAKEOVER
from xueka.contexts.takeover.models import ROWS, Difference, TakeOver
from xueka.contexts.takeover.services.taking_in import check
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound, Refused
from xueka.kernel.text import as_cell
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import second_person

KINDS = {
    "only_old": "只在旧系统",
    "only_here": "只在本系统",
    "state": "状态不同",
    "number": "号码不同",
    "holder": "持卡人不同",
}

# What both sides say of cards that lie, or lay, in a child's hand. Ours are kept apart from those that are
# still being made; theirs are what the extract holds.
_CARDS = """
    WITH old AS (
        SELECT number, education_id, kind, state, chip_uid, transit_number, beijing_tong_number
          FROM takeover_cardrow WHERE take_over_id = %(id)s),
    ours AS (
        SELECT c.number, s.education_id, c.kind_id AS kind, c.state, c.chip_uid, c.transit_number,
               c.beijing_tong_number
          FROM cards_card c JOIN registry_student s ON s.id = c.student_id
         WHERE c.state IN ('active', 'lost', 'cancelled')),
    both_sides AS (
        SELECT coalesce(o.number, u.number) AS key, o.number IS NULL AS not_old, u.number IS NULL AS not_here,
               o.education_id AS old_holder, u.education_id AS our_holder, o.state AS old_state,
               u.state AS our_state, coalesce(o.kind, u.kind) AS kind,
               concat_ws(' ', o.transit_number, o.beijing_tong_number, o.chip_uid) AS old_numbers,
               concat_ws(' ', u.transit_number, u.beijing_tong_number, u.chip_uid) AS our_numbers
          FROM old o FULL JOIN ours u ON u.number = o.number),
    -- One live card on each side under another number is one difference, not two.
    renumbered AS (
        SELECT a.key AS old_key, b.key AS our_key, a.old_holder AS holder
          FROM both_sides a JOIN both_sides b
            ON b.our_holder = a.old_holder AND b.kind = a.kind
         WHERE a.not_here AND b.not_old AND a.old_state <> 'cancelled' AND b.our_state <> 'cancelled')
    INSERT INTO takeover_found
    SELECT 'cards', 'number', old_key, holder, old_key, our_key FROM renumbered
    UNION ALL
    SELECT 'cards', 'only_old', key, old_holder, old_state, '' FROM both_sides b
     WHERE not_here AND NOT EXISTS (SELECT 1 FROM renumbered r WHERE r.old_key = b.key)
    UNION ALL
    SELECT 'cards', 'only_here', key, our_holder, '', our_state FROM both_sides b
     WHERE not_old AND NOT EXISTS (SELECT 1 FROM renumbered r WHERE r.our_key = b.key)
    UNION ALL
    SELECT 'cards', 'state', key, old_holder, old_state, our_state FROM both_sides
     WHERE old_state <> our_state
    UNION ALL
    SELECT 'cards', 'holder', key, old_holder, old_holder, our_holder FROM both_sides
     WHERE old_holder <> our_holder
    UNION ALL
    SELECT 'cards', 'number', key, old_holder, old_numbers, our_numbers FROM both_sides
     WHERE NOT not_old AND NOT not_here AND old_numbers <> our_numbers
"""
_ACCOUNTS = """
    WITH both_sides AS (
        SELECT coalesce(o.education_id, u.education_id) AS key, o.education_id IS NULL AS not_old,
               u.education_id IS NULL AS not_here, o.state AS old_state, u.state AS our_state,
               o.number AS old_number, u.number AS our_number
          FROM (SELECT education_id, state, number FROM takeover_accountrow WHERE take_over_id = %(id)s) o
          FULL JOIN (SELECT s.education_id, a.state, a.number FROM cards_cardaccount a
                       JOIN registry_student s ON s.id = a.student_id) u ON u.education_id = o.education_id)
    INSERT INTO takeover_found
    SELECT 'accounts', 'only_old', key, key, old_state, '' FROM both_sides WHERE not_here
    UNION ALL
    SELECT 'accounts', 'only_here', key, key, '', our_state FROM both_sides WHERE not_old
    UNION ALL
    SELECT 'accounts', 'state', key, key, old_state, our_state FROM both_sides WHERE old_state <> our_state
    UNION ALL
    SELECT 'accounts', 'number', key, key, old_number, our_number FROM both_sides
     WHERE old_number <> our_number AND old_number <> ''
"""
_APPLICATIONS = """
    WITH both_sides AS (
        SELECT coalesce(o.education_id, u.education_id) AS holder, coalesce(o.kind, u.kind) AS kind,
               o.kind IS NULL AS not_old, u.kind IS NULL AS not_here, o.state AS old_state,
               u.state AS our_state
          FROM (SELECT education_id, kind, state FROM takeover_applicationrow WHERE take_over_id = %(id)s) o
          FULL JOIN (SELECT s.education_id, p.kind_id AS kind,
                            CASE p.state WHEN 'at_counter' THEN 'accepted' ELSE p.state END AS state
                       FROM cards_application p
                       JOIN cards_cardaccount a ON a.id = p.account_id
                       JOIN registry_student s ON s.id = a.student_id
                      WHERE p.state IN ('school_review', 'district_review', 'city_review', 'returned',
                                        'accepted', 'at_counter')) u
            ON u.education_id = o.education_id AND u.kind = o.kind)
    INSERT INTO takeover_found
    SELECT 'applications', CASE WHEN not_here THEN 'only_old' WHEN not_old THEN 'only_here' ELSE 'state' END,
           holder || ' ' || kind, holder, coalesce(old_state, ''), coalesce(our_state, '')
      FROM both_sides WHERE not_here OR not_old OR old_state <> our_state
"""
_COMPARE = {"cards": _CARDS, "accounts": _ACCOUNTS, "applications": _APPLICATIONS}

_FOUND = """
    CREATE TEMP TABLE takeover_found (part text, kind text, key text, education_id text, old text, ours text)
    ON COMMIT DROP
"""
#: One difference of a kind per key (a renumbered card may show other numbers as well), cut to what is kept.
_ONCE = """
    DELETE FROM takeover_found f USING takeover_found g
     WHERE f.part = g.part AND f.kind = g.kind AND f.key = g.key AND f.ctid > g.ctid;
    UPDATE takeover_found SET old = left(old, 100), ours = left(ours, 100)
     WHERE length(old) > 100 OR length(ours) > 100
"""
#: What goes on: seen again; where a side says something else now, the explanation is void.
_AGAIN = """
    UPDATE takeover_difference d
       SET last_seen_id = %(id)s, old = t.old, ours = t.ours,
           explanation = CASE WHEN t.same THEN d.explanation ELSE '' END,
           explained_by = CASE WHEN t.same THEN d.explained_by ELSE '' END,
           signed_by = CASE WHEN t.same THEN d.signed_by ELSE '' END,
           signed_at = CASE WHEN t.same THEN d.signed_at END
      FROM (SELECT b.id, f.old, f.ours, (b.old, b.ours) = (f.old, f.ours) AS same
              FROM takeover_found f JOIN takeover_difference b
                ON b.gone_at IS NULL AND b.part = f.part AND b.kind = f.kind AND b.key = f.key) t
     WHERE d.id = t.id
"""
_NEW = """
    INSERT INTO takeover_difference (part, kind, key, education_id, old, ours, first_seen_id, last_seen_id,
                                     since, explanation, explained_by, signed_by)
    SELECT t.part, t.kind, t.key, t.education_id, t.old, t.ours, %(id)s, %(id)s, %(now)s, '', '', ''
      FROM takeover_found t
     WHERE NOT EXISTS (SELECT 1 FROM takeover_difference d WHERE d.gone_at IS NULL AND d.part = t.part
                          AND d.kind = t.kind AND d.key = t.key)
"""
_GONE = """
    UPDATE takeover_difference SET gone_at = %(now)s
     WHERE gone_at IS NULL AND last_seen_id <> %(id)s AND part = ANY(%(parts)s)
"""


def compare(actor: Actor, files: Mapping[str, bytes]) -> tuple[TakeOver, dict[str, dict[str, int]]]:
    """Load an extract of the other system and compare it with ours, both ways.

    Only the parts that the set holds are compared. Answers the set and the open differences by part and kind.
    The staged rows are dropped again: what is kept of an extract is its totals and its differences.
    Raises Refused `TOTALS_DIFFER`, `EXTRACT_OLDER` where a newer extract of the same part was compared.
    """
    with connection.cursor() as cursor:  # differences are those of the last comparison, so one at a time
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('takeover.compare'))")
    found = check(actor, files, purpose="compare")
    _demand_totals(found)
    compared = [code for code in _COMPARE if code in found.counts]
    _demand_newest(found, compared)
    values: dict[str, Any] = {"id": found.id, "now": clock.now(), "parts": compared}
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS takeover_found")
        cursor.execute(_FOUND)
        for code in compared:
            cursor.execute(_COMPARE[code], values)
        cursor.execute(_ONCE)
        cursor.execute("ANALYZE takeover_found")
        for statement in (_AGAIN, _NEW, _GONE):
            cursor.execute(statement, values)
    for model in ROWS.values():
        model._default_manager.filter(take_over=found).delete()
    apply(TAKEOVER, TakeOver, [found.id], "compare", actor)
    counts = open_counts()
    record(
        actor,
        "takeover.compare",
        "takeover",
        found.number,
        detail={"sm3": bytes(found.digest).hex(), "differences": counts},
    )
    found.refresh_from_db()
    return found, counts


def open_counts() -> dict[str, dict[str, int]]:
    """Open differences by part and kind."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT part, kind, count(*) FROM takeover_difference WHERE gone_at IS NULL"
            " GROUP BY 1, 2 ORDER BY 1, 2"
        )
        result: dict[str, dict[str, int]] = {}
        for part, kind, count in cursor.fetchall():
            result.setdefault(part, {})[kind] = count
        return result


def explain(actor: Actor, ids: Sequence[int], text: str) -> int:
    """Say why these differences are there; a second person signs that it is so."""
    actor.require("city:takeover:load")
    if not text.strip():
        raise BadInput("REASON_MISSING", "请写明差异的原因。")
    rows = _lock(actor, ids)
    Difference.objects.filter(id__in=[row.id for row in rows]).update(
        explanation=text.strip()[:200], explained_by=actor.username, signed_by="", signed_at=None
    )
    record(
        actor, "takeover.explain", "difference", detail={"ids": sorted(ids)[:100], "text": text.strip()[:200]}
    )
    return len(rows)


def sign(actor: Actor, ids: Sequence[int]) -> int:
    """A second person agrees with the explanations. Raises Refused `NOT_EXPLAINED`, `SECOND_PERSON`."""
    actor.require("city:takeover:approve")
    rows = _lock(actor, ids)
    if missing := [row.key for row in rows if not row.explained_by]:
        raise Refused(
            "NOT_EXPLAINED",
            f"有 {len(missing)} 项差异还没有说明原因。",
            found="、".join(missing[:5]),
            action="请先说明原因，再由另一人签认。",
        )
    second_person(
        actor,
        (row.explained_by for row in rows),
        "其中有您自己说明的差异，须由另一人签认。",
        action="请通知另一位市级运营。",
    )
    Difference.objects.filter(id__in=[row.id for row in rows]).update(
        signed_by=actor.username, signed_at=clock.now()
    )
    record(actor, "takeover.sign", "difference", detail={"ids": sorted(ids)[:100], "count": len(rows)})
    return len(rows)


def export(actor: Actor) -> bytes:
    """The open differences as CSV (UTF-8 with byte-order mark); audited."""
    actor.require("city:takeover:load")
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_HEAD)
    rows = Difference.objects.visible_to(actor.scope).filter(gone_at=None).order_by("part", "kind", "key")
    count = 0
    for row in rows.iterator(chunk_size=5000):
        count += 1
        since = f"{clock.local(row.since):%Y-%m-%d %H:%M}"
        said = [f.PARTS[row.part].label, KINDS[row.kind], row.key, row.education_id, row.old, row.ours]
        said += [since, row.explanation, row.explained_by, row.signed_by]
        writer.writerow([as_cell(text) for text in said])
    record(actor, "takeover.export", "difference", detail={"count": count})
    return out.getvalue().encode("utf-8-sig")


_HEAD = ("文件", "差异", "标识", "教育ID", "旧系统", "本系统", "发现时间", "原因", "说明人", "签认人")


def _demand_totals(found: TakeOver) -> None:
    if wrong := [each for each in found.totals if not each["agrees"]]:
        raise Refused(
            "TOTALS_DIFFER",
            f"控制总数有 {len(wrong)} 项不符，没有比对。",
            where=f"{wrong[0]['part']} {wrong[0]['item']}",
            found=wrong[0]["found"],
            expected=wrong[0]["told"],
            action="请旧系统重新导出一套完整的文件。",
        )


def _demand_newest(found: TakeOver, parts: Sequence[str]) -> None:
    """An older extract would end differences that are there, and bring back those that are gone."""
    newer = TakeOver.objects.filter(purpose="compare", state=COMPARED, as_of__gt=found.as_of)
    for other in newer.order_by("-as_of", "-id"):
        if twice := [code for code in parts if code in other.counts]:
            raise Refused(
                "EXTRACT_OLDER",
                "这一套文件比已经比对过的旧，没有比对。",
                where="、".join(f.PARTS[code].label for code in twice),
                found=f"数据时点 {found.as_of}",
                expected=f"{other.as_of} 或以后（{other.number}）",
                action="请旧系统导出最新的一套文件。",
            )


def _lock(actor: Actor, ids: Sequence[int]) -> list[Difference]:
    wanted = set(ids)
    rows = Difference.objects.visible_to(actor.scope).filter(id__in=wanted, gone_at=None)
    found = list(rows.order_by("id").select_for_update())
    if len(found) < len(wanted) or not wanted:
        raise NotFound(
            "DIFFERENCE_NOT_FOUND", "没有选中差异，或其中有的已经消失。", action="请刷新页面后再试。"
        )
    return found
