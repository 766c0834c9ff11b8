"""Exports under approval: asking, deciding, making the file, taking it, and its end."""

from collections.abc import Iterator
from typing import Any

from xueka.contexts.cards import api as cards
from xueka.contexts.registry import api as registry
from xueka.contexts.reporting.domain import exports as rules
from xueka.contexts.reporting.domain.transitions import APPROVED, EXPORT, READY
from xueka.contexts.reporting.models import Download, Export
from xueka.kernel import clock
from xueka.kernel.errors import NotFound, Refused
from xueka.platform.audit import services as audit
from xueka.platform.crypto import fields
from xueka.platform.files import services as files
from xueka.platform.files import workbook
from xueka.platform.history import services as history
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import second_person

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def ask_export(actor: Actor, kind: str, purpose: str, *, in_clear: bool = False) -> Export:
    """Ask for a list of the actor's scope. `in_clear` asks for whole identity numbers and telephones."""
    actor.require("school:export:ask")
    purpose = rules.check_wish(kind, purpose)
    if in_clear:
        actor.require("school:student:unmask")
    now = clock.now()
    export = Export.objects.create(
        number=f"?{actor.username[:8]}{now.timestamp():.6f}"[:20],
        kind=kind,
        state=EXPORT.initial,
        purpose=purpose,
        in_clear=in_clear,
        level=actor.scope.level,
        district_code=actor.scope.district,
        school_code=actor.scope.school,
        asked_by=actor.username,
        asked_name=actor.name,
        asked_at=now,
    )
    export.number = f"DC{clock.local(now):%Y%m%d}-{export.id:05d}"
    export.save(update_fields=["number"])
    history.begin(EXPORT, [export.id], actor)
    _record(actor, "export.ask", export, purpose=purpose, in_clear=in_clear)
    return export


def approve_export(actor: Actor, number: str) -> None:
    """Agree to it, by somebody other than who asked."""
    export = _locked(actor, number)
    second_person(
        actor,
        export.asked_by,
        "不能批准自己申请的导出。",
        code="EXPORT_OWN",
        where=number,
        action="请由另一位有权限的人员批准。",
    )
    _move(actor, export, "approve", decided_by=actor.username, decided_at=clock.now())
    _record(actor, "export.approve", export)


def reject_export(actor: Actor, number: str, reason: str) -> None:
    reason = rules.check_reason(reason)
    export = _locked(actor, number)
    if export.asked_by == actor.username:
        raise Refused("EXPORT_OWN", "自己申请的导出请撤回。", where=number, action="请用“撤回”。")
    _move(actor, export, "reject", reason, decided_by=actor.username, decided_at=clock.now(), note=reason)
    _record(actor, "export.reject", export, reason=reason)


def withdraw_export(actor: Actor, number: str) -> None:
    export = _locked(actor, number)
    if export.asked_by != actor.username:
        raise Refused("EXPORT_FOREIGN", "只有申请人本人可以撤回。", where=number)
    _move(actor, export, "withdraw")
    _record(actor, "export.withdraw", export)


def revoke_export(actor: Actor, number: str, reason: str) -> None:
    """Take the file away before its time."""
    reason = rules.check_reason(reason)
    export = _locked(actor, number)
    _end(actor, export, "revoke", reason)


def make_export(actor: Actor, export_id: int) -> None:
    """Write the file of an approved export; a list that is too long fails with its reason."""
    export = _locked(actor, Export.objects.values_list("number", flat=True).get(id=export_id))
    if export.state != APPROVED:
        return  # somebody else was quicker
    sheets = [_students(export)] if export.kind == "students" else [_cards(export)]
    content, totals = workbook.write(
        sheets,
        workbook.Origin(
            rules.KINDS[export.kind],
            f"{export.asked_name}（{export.asked_by}）",
            clock.now(),
            export.number,
            export.purpose,
            [("范围", str(export.scope)), ("证件号码", "完整" if export.in_clear else "掩码")],
        ),
    )
    rows = sum(totals.rows.values())
    if rows > rules.MOST_ROWS:
        fail_export(actor, export_id, f"超过 {rules.MOST_ROWS:,} 行，请缩小范围分次申请。")
        return
    now = clock.now()
    stored = files.store(actor, f"{export.number}.xlsx", XLSX, content, personal=True)
    _move(
        actor,
        export,
        "make",
        file=stored,
        rows=rows,
        digest=totals.digest,
        made_at=now,
        expires_at=now + rules.KEPT_FOR,
        downloads_left=rules.DOWNLOADS,
    )
    _record(actor, "export.make", export, rows=rows, digest=totals.digest)


def fail_export(actor: Actor, export_id: int, words: str) -> None:
    export = _locked(actor, Export.objects.values_list("number", flat=True).get(id=export_id))
    if export.state == APPROVED:
        _move(actor, export, "fail", words, note=words[:200])
        _record(actor, "export.fail", export, reason=words)


def download_export(actor: Actor, number: str) -> tuple[str, bytes]:
    """(file name, bytes) for who asked. Raises Refused `EXPORT_GONE` after its time or number of
    downloads.
    """
    actor.require("school:export:ask")
    export = _locked(actor, number)
    if export.asked_by != actor.username:
        raise Refused("EXPORT_FOREIGN", "只有申请人本人可以下载。", where=number)
    over = export.expires_at is not None and export.expires_at <= clock.now()
    if export.state != READY or over or not export.downloads_left or export.file is None:
        raise Refused(
            "EXPORT_GONE",
            "文件已经不能下载。",
            where=number,
            found=EXPORT.state(export.state).label,
            expected=f"{rules.KEPT_FOR.days} 天内，最多 {rules.DOWNLOADS} 次",
            action="仍有需要时请重新申请。",
        )
    export.downloads_left -= 1
    export.save(update_fields=["downloads_left"])
    Download.objects.create(export=export, at=clock.now(), by=actor.username, address=actor.address)
    _record(actor, "export.download", export, left=export.downloads_left)
    return f"{export.number}.xlsx", files.read(export.file)


def end_overdue(actor: Actor) -> int:
    """Delete the files whose time is over or that were taken as often as allowed; returns how many."""
    due = Export.objects.filter(state=READY).filter(expires_at__lte=clock.now())
    used = Export.objects.filter(state=READY, downloads_left=0)
    numbers = sorted({*due.values_list("number", flat=True), *used.values_list("number", flat=True)})
    for number in numbers:
        _end(actor, _locked(actor, number), "expire", "")
    return len(numbers)


def _end(actor: Actor, export: Export, event: str, reason: str) -> None:
    file = export.file
    _move(actor, export, event, reason, file=None, note=reason or export.note)
    if file is not None:
        files.remove(file)
    _record(actor, f"export.{event}", export, reason=reason)


def _locked(actor: Actor, number: str) -> Export:
    found = (
        Export.objects.visible_to(actor.scope).select_for_update(of=("self",)).filter(number=number).first()
    )
    if found is None:
        raise NotFound("EXPORT_NOT_FOUND", "没有这项导出。", found=number)
    return found


def _move(actor: Actor, export: Export, event: str, reason: str = "", **values: Any) -> None:
    """Columns that a state needs are there before it begins; a file goes after its state has ended."""
    EXPORT.target(event, export.state)
    actor.require(EXPORT.permission(event, export.state))
    changed = Export.objects.filter(id=export.id)
    ends = event in ("expire", "revoke")
    if values and not ends:
        changed.update(**values)
    history.apply(EXPORT, Export, [export.id], event, actor, reason=reason)
    if values and ends:
        changed.update(**values)
    export.refresh_from_db()


def _record(actor: Actor, action: str, export: Export, **detail: Any) -> None:
    audit.record(actor, action, "export", export.number, detail={"kind": export.kind, **detail})


_STUDENT = (
    "教育ID",
    "姓名",
    "性别",
    "状态",
    "区",
    "学校",
    "学段",
    "年级",
    "班级",
    "证件号码",
    "监护人",
    "电话",
)
_CARD = ("卡号", "卡种", "状态", "姓名", "教育ID", "区", "学校", "班级", "有效期至", "状态时间")


def _students(export: Export) -> workbook.Sheet:
    def rows() -> Iterator[tuple[Any, ...]]:
        found = registry.student_rows(export.scope).order_by(
            "school__code", "school_class_id", "sort_key", "id"
        )
        for each in found[: rules.MOST_ROWS + 1].iterator(chunk_size=2_000):
            known = fields.unseal(bytes(each.envelope)) if export.in_clear else registry.masked_personal(each)
            guardian = next(iter(known["guardians"]), {"name": "", "phone": ""})
            yield (
                each.education_id,
                each.name,
                each.sex,
                each.status,
                each.school.district.name,
                each.school.name,
                each.school_class.stage,
                each.school_class.grade,
                each.school_class.name,
                known["id_number"],
                guardian["name"],
                guardian["phone"],
            )

    return workbook.Sheet("学生", _STUDENT, rows(), (12, 12, 6, 8, 10, 28, 8, 6, 10, 22, 12, 14))


def _cards(export: Export) -> workbook.Sheet:
    def rows() -> Iterator[tuple[Any, ...]]:
        found = cards.card_rows(export.scope).order_by("school__code", "school_class_id", "id")
        for each in found[: rules.MOST_ROWS + 1].iterator(chunk_size=2_000):
            yield (
                each.number,
                each.kind.name,
                cards.CARD.state(each.state).label,
                each.student.name,
                each.student.education_id,
                each.school.district.name,
                each.school.name,
                each.school_class.name,
                each.valid_until,
                each.state_at,
            )

    return workbook.Sheet("学生卡", _CARD, rows(), (16, 22, 10, 12, 12, 10, 28, 10, 12, 18))
