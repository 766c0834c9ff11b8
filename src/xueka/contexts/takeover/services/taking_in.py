"""A set of files comes in: dry run, control totals, a second person's approval."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from django.conf import settings
from django.db import connection

from xueka.contexts.cards import api as cards
from xueka.contexts.takeover.domain import format as f
from xueka.contexts.takeover.domain import totals
from xueka.contexts.takeover.domain.reading import Rules
from xueka.contexts.takeover.domain.transitions import CHECKED, TAKEOVER
from xueka.contexts.takeover.models import ROWS, TakeOver
from xueka.contexts.takeover.services import checks, staging
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, LineProblem, NotFound, Refused
from xueka.kernel.text import parse_date
from xueka.platform.audit.services import record
from xueka.platform.crypto.sm3 import digest as sm3
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import second_person

LISTED = 5_000
"""So many errors and warnings a set lists one by one; beyond it only counts them."""


def check(actor: Actor, files: Mapping[str, bytes], *, purpose: str = "load") -> TakeOver:
    """Take a set of files in (file name → bytes) and try it: nothing but the set itself is changed.

    Every line is judged by itself, beside the others and beside what is on record; control totals are
    compared with the manifest. Raises BadInput for a set that cannot be read as a whole. Needs
    `city:takeover:load`.
    """
    actor.require("city:takeover:load")
    by_part = _by_part(files)
    facts, told = staging.read_manifest(by_part[f.MANIFEST][1])
    as_of = _as_of(facts)
    found = _new(actor, purpose, facts, as_of, by_part)
    rules = _rules(as_of)
    staged = {
        code: staging.stage(found.id, part, by_part[code][1], rules)
        for code, part in f.PARTS.items()
        if code in by_part
    }
    with connection.cursor() as cursor:
        for code in staged:
            cursor.execute(f"ANALYZE {ROWS[code]._meta.db_table}")
    compared = totals.compare(told, {code: each.found for code, each in staged.items()})
    found.totals = [each.as_dict() for each in compared]
    found.counts = {
        code: {"rows": each.found[totals.ROWS], "unreadable": each.rejected} for code, each in staged.items()
    }
    found.findings = {"reading": _reading(staged)}
    _judge(found)
    found.save(update_fields=["totals", "counts", "findings"])
    _audit(actor, "check", found)
    return found


def recheck(actor: Actor, take_over_id: int) -> TakeOver:
    """Judge the staged lines once more, say after a roster was imported."""
    found = locked(actor, take_over_id)
    actor.require("city:takeover:load")
    apply(TAKEOVER, TakeOver, [found.id], "recheck", actor)
    for model in ROWS.values():
        model._default_manager.filter(take_over=found, object_id=None).update(ok=True)
    _judge(found)
    found.save(update_fields=["counts", "findings"])
    _audit(actor, "recheck", found)
    return found


def approve(actor: Actor, take_over_id: int, *, without_rejected: bool = False) -> TakeOver:
    """A second person's word: the set will be loaded by the next sweep.

    Raises Refused `SECOND_PERSON`, `TOTALS_DIFFER`, `LINES_REJECTED` unless `without_rejected` says that the
    rejected lines stay out on purpose.
    """
    found = locked(actor, take_over_id)
    if found.purpose != "load":
        raise Refused("NOT_FOR_LOADING", "这一套文件只用来比对，不能载入。", action="请按“接管”重新提交。")
    second_person(
        actor,
        found.created_by,
        f"{found.number} 由您提交，须由另一人批准。",
        expected="提交人以外的批准人",
        action="请通知另一位市级运营。",
    )
    if wrong := [each for each in found.totals if not each["agrees"]]:
        first = wrong[0]
        raise Refused(
            "TOTALS_DIFFER",
            f"控制总数有 {len(wrong)} 项不符，不能载入。",
            where=f"{f.PARTS[first['part']].label} {first['item']}",
            found=first["found"],
            expected="清单未写明" if first["told"] is None else first["told"],
            action="请旧系统重新导出一套完整的文件。",
        )
    rejected = sum(each["rejected"] for each in found.counts.values())
    if rejected and not without_rejected:
        raise Refused(
            "LINES_REJECTED",
            f"有 {rejected} 行不能载入。",
            found=rejected,
            action="请改正后重新提交，或确认不含这些行载入。",
        )
    apply(TAKEOVER, TakeOver, [found.id], "approve", actor)
    found.approved_by, found.approved_at = actor.username, clock.now()
    found.save(update_fields=["approved_by", "approved_at"])
    _audit(actor, "approve", found, {"created_by": found.created_by, "left_out": rejected})
    found.refresh_from_db()
    return found


def drop(actor: Actor, take_over_id: int, reason: str) -> TakeOver:
    """Give a set up that was never approved."""
    found = locked(actor, take_over_id)
    if not reason.strip():
        raise BadInput("REASON_MISSING", "请写明放弃的理由。")
    apply(TAKEOVER, TakeOver, [found.id], "drop", actor, reason=reason.strip())
    _audit(actor, "drop", found, {"reason": reason.strip()})
    found.refresh_from_db()
    return found


def locked(actor: Actor, take_over_id: int) -> TakeOver:
    """The set, locked to the end of the transaction; NotFound `TAKEOVER_NOT_FOUND`."""
    rows = TakeOver.objects.visible_to(actor.scope).select_for_update()
    if (found := rows.filter(id=take_over_id).first()) is None:
        raise NotFound("TAKEOVER_NOT_FOUND", "没有这一套接管文件。")
    return found


def _by_part(files: Mapping[str, bytes]) -> dict[str, tuple[str, bytes]]:
    by_part: dict[str, tuple[str, bytes]] = {}
    for name, content in files.items():
        code = staging.part_of(name)
        if code in by_part:
            raise BadInput(
                "FILE_TWICE",
                f"“{name[:60]}”和“{by_part[code][0][:60]}”是同一种文件。",
                action="每种文件只交一份。",
            )
        by_part[code] = (name, content)
    if f.MANIFEST not in by_part or len(by_part) < 2:
        raise BadInput(
            "MANIFEST_MISSING",
            "一套文件应有清单和至少一个数据文件。",
            found="、".join(name for name, _ in by_part.values()) or "没有文件",
            expected="manifest 及 " + "、".join(f.PARTS),
            action="请把清单和数据文件一起提交。",
        )
    return by_part


def _as_of(facts: Mapping[str, str]) -> date:
    as_of = parse_date(facts.get("数据时点", ""))
    if as_of > clock.today():
        raise BadInput(
            "AS_OF_FUTURE", "清单的数据时点晚于今天。", found=str(as_of), expected=str(clock.today())
        )
    return as_of


def _new(
    actor: Actor,
    purpose: str,
    facts: Mapping[str, str],
    as_of: date,
    by_part: Mapping[str, tuple[str, bytes]],
) -> TakeOver:
    digests = {code: sm3(content) for code, (_, content) in by_part.items()}
    whole = sm3(b"".join(digests[code] for code in sorted(digests)))
    now = clock.now()
    found = TakeOver.objects.create(
        number=f"?{sm3(whole + str(now).encode()).hex()[:18]}",
        purpose=purpose,
        source=facts.get("来源系统", "")[:64],
        as_of=as_of,
        state=CHECKED,
        digest=whole,
        files=[
            {"part": code, "name": by_part[code][0][-100:], "bytes": len(by_part[code][1]), "sm3": each.hex()}
            for code, each in digests.items()
        ],
        created_by=actor.username,
        created_at=now,
    )
    found.number = f"{'JG' if purpose == 'load' else 'BD'}{clock.today():%y}-{found.id:04d}"
    found.save(update_fields=["number"])
    begin(TAKEOVER, [found.id], actor)
    return found


def _rules(as_of: date) -> Rules:
    kinds = cards.kinds(include_closed=True)
    return Rules(
        {word: kind.code for kind in kinds for word in (kind.code, kind.name)},
        {kind.code: kind.transit_pattern for kind in kinds},
        {kind.code: kind.beijing_tong_pattern for kind in kinds},
        clock.today(),
        as_of,
        settings.REGISTRY_EDUCATION_ID_PATTERN,
    )


def _reading(staged: Mapping[str, staging.Staged]) -> dict[str, Any]:
    """What reading found; kept, because a re-check does not read the files again."""
    return {
        "errors": [asdict(each) for part in staged.values() for each in part.errors][:LISTED],
        "warnings": [asdict(each) for part in staged.values() for each in part.warnings][:LISTED],
        "error_counts": dict(sum((part.error_counts for part in staged.values()), Counter())),
        "warning_counts": dict(sum((part.warning_counts for part in staged.values()), Counter())),
    }


def _judge(found: TakeOver) -> None:
    """Judge the staged rows; write findings and counts of the set (not yet saved)."""
    reading = found.findings["reading"]
    counted, errors, warnings = checks.find(found)
    error_counts, warning_counts = Counter(reading["error_counts"]), Counter(reading["warning_counts"])
    for each, count in counted:
        (warning_counts if each.warning else error_counts)[each.code] += count
    found.findings = {
        "reading": reading,
        "errors": _listed(reading["errors"], errors),
        "warnings": _listed(reading["warnings"], warnings),
        "error_counts": dict(error_counts),
        "warning_counts": dict(warning_counts),
    }
    for code, counts in found.counts.items():
        good = ROWS[code]._default_manager.filter(take_over=found, ok=True).count()
        counts["accepted"], counts["rejected"] = good, counts["rows"] - good


def _listed(read: list[dict[str, Any]], found: list[LineProblem]) -> list[dict[str, Any]]:
    return [*read, *(asdict(each) for each in found)][:LISTED]


def _audit(actor: Actor, verb: str, found: TakeOver, detail: Mapping[str, Any] | None = None) -> None:
    record(
        actor,
        f"takeover.{verb}",
        "takeover",
        found.number,
        detail={"sm3": bytes(found.digest).hex(), "counts": found.counts, **(detail or {})},
    )
