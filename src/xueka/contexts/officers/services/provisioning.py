"""Officers in bulk: a list is tried, then brought in; it may come again and changes only what differs."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from cryptography.hazmat.primitives import hashes
from django.db import connection, transaction
from django.db.models import Q

from xueka.contexts.officers.domain.officer_list import Judge, OfficerRow, doubled
from xueka.contexts.officers.models import OfficerList
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.districts import DISTRICTS
from xueka.kernel.errors import BadInput, LineProblem, XuekaError
from xueka.platform.audit.services import record
from xueka.platform.crypto import fields
from xueka.platform.identity import services as identity
from xueka.platform.identity.activation import MANAGE
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import not_oneself
from xueka.platform.identity.models import User
from xueka.platform.identity.permissions import ROLES
from xueka.platform.identity.scope import Scope

FIRST_LINE = 2
MAX_ROWS = 10_000
COLUMNS = (
    registry.Column("school", "学校标识码", ("学校代码", "学校编码")),
    registry.Column("name", "姓名", ("教师姓名", "使用者姓名")),
    registry.Column("role", "角色", ("岗位",)),
    registry.Column("phone", "手机号", ("手机", "手机号码", "联系电话")),
    registry.Column("email", "电子邮箱", ("邮箱", "电子邮件"), required=False),
    registry.Column("district", "区代码", ("行政区代码",), required=False),
    registry.Column("username", "用户名", ("登录名",), required=False),
)
_PHONE_KIND = "staff phone"


@dataclass(slots=True)
class OfficersReport:
    """`rows` = created + updated + unchanged + rejected; `totals` counts accepted rows by role label."""

    dry_run: bool = False
    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    schools: int = 0
    totals: dict[str, int] = field(default_factory=dict)
    errors: list[LineProblem] = field(default_factory=list)
    warnings: list[LineProblem] = field(default_factory=list)
    run_id: int = 0

    def counts(self) -> dict[str, int]:
        names = ("rows", "created", "updated", "unchanged", "rejected", "schools")
        return {name: getattr(self, name) for name in names}

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.counts(),
            "dry_run": self.dry_run,
            "totals": self.totals,
            "errors": [problem.as_dict() for problem in self.errors],
            "warnings": [problem.as_dict() for problem in self.warnings],
        }


def import_officers(
    actor: Actor, content: bytes, file_name: str, *, dry_run: bool = False, expected_rows: int | None = None
) -> OfficersReport:
    """Bring a list of officers in (XLSX or CSV), in the caller's transaction; it takes nobody away.

    Who is known by her telephone number is brought up to date; everybody else gets an account that waits for
    its activation code. Raises BadInput for a file that cannot be read as a whole, `ROWS_DIFFER` where it has
    not the number of rows that was announced. Needs `district:officer:manage`.
    """
    actor.require(MANAGE)
    table = registry.open_table(COLUMNS, content)
    lines = _lines(table)
    if expected_rows is not None and expected_rows != len(lines):
        raise BadInput(
            "ROWS_DIFFER",
            "行数与您填写的总数不符，没有改动任何数据。",
            found=f"{len(lines)} 行",
            expected=f"{expected_rows} 行",
            action="请核对文件是否完整，或改正总数后再导入。",
        )
    positions, labels = table.layout.positions, table.layout.labels
    texts = {
        line: {key: cells[at] for key, at in positions.items() if at < len(cells)} for line, cells in lines
    }
    report = OfficersReport(dry_run=dry_run, rows=len(lines))
    report.warnings += table.layout.warnings()
    schools = registry.open_schools(actor.scope)
    roles = {"school_officer", "school_reviewer"}
    if actor.scope.level != "district":
        roles.add("district_officer")
    judge = Judge(labels, schools, DISTRICTS, frozenset(roles))
    with transaction.atomic():
        rows = _accepted(judge, texts, report)
        _apply(actor, judge, rows, report)
        if dry_run:
            transaction.set_rollback(True)
    report.errors.sort(key=lambda problem: problem.line)
    report.rejected = len(lines) - report.created - report.updated - report.unchanged
    digest = hashes.Hash(hashes.SM3())
    digest.update(content)
    run = OfficerList.objects.create(
        file_name=file_name[-200:],
        sm3=digest.finalize(),
        dry_run=dry_run,
        at=clock.now(),
        actor=actor.username,
        district_code=actor.scope.district,
        report=report.as_dict(),
    )
    report.run_id = run.pk
    detail = {"file": run.file_name, "sm3": bytes(run.sm3).hex(), **report.counts()}
    record(actor, f"officers.{'check' if dry_run else 'import'}", "officer_list", run.pk, detail=detail)
    return report


def phone_index(phone: str) -> bytes:
    """The blind index by which a person is known again."""
    return fields.blind_index(_PHONE_KIND, phone)


# --- inside ---


def _lines(table: Any) -> list[tuple[int, list[str]]]:
    try:
        cells = list(chain.from_iterable(chunk.lines() for chunk in table.chunks()))
    except registry.Undecodable as error:
        raise registry.broken_text(FIRST_LINE + error.line) from None
    if len(cells) > MAX_ROWS:
        raise BadInput(
            "TOO_MANY_ROWS",
            f"名单有 {len(cells)} 行，这不像是卡管人员名单。",
            found=len(cells),
            expected=f"不超过 {MAX_ROWS} 行",
            action="请确认选对了文件，再导入一次。",
        )
    return [(at, list(row)) for at, row in enumerate(cells, FIRST_LINE) if any(cell.strip() for cell in row)]


def _accepted(
    judge: Judge, texts: Mapping[int, Mapping[str, str]], report: OfficersReport
) -> list[OfficerRow]:
    rows: list[OfficerRow] = []
    for line, found in texts.items():
        row, errors = judge.judge(found, line)
        report.errors += errors
        if row:
            rows.append(row)
    wrong = doubled(rows)
    for line, (code, what, others) in wrong.items():
        key = "username" if code == "USERNAME_TWICE" else "phone"
        lines = "、".join(str(other) for other in others[:6])
        report.errors.append(judge.problem(line, key, code, f"{what}（另见第 {lines} 行）", ""))
    return [row for row in rows if row.line not in wrong]


def _apply(actor: Actor, judge: Judge, rows: list[OfficerRow], report: OfficersReport) -> None:
    with connection.cursor() as cursor:  # the second of two lists finds the people whom the first has brought
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('officers.list'))")
    indexes = dict(
        zip(
            (row.phone for row in rows),
            fields.blind_index_many(_PHONE_KIND, [r.phone for r in rows]),
            strict=True,
        )
    )
    known = {
        bytes(user.phone_index or b""): user
        for user in User.objects.filter(phone_index__in=list(indexes.values()))
        .order_by("pk")
        .select_for_update()
    }
    wanted = [row.username for row in rows if row.username]
    named = User.objects.filter(Q(username__in=wanted) | Q(first_username__in=wanted))
    taken = set(chain.from_iterable(named.values_list("username", "first_username")))
    names = _Names()
    accepted: list[OfficerRow] = []
    for row in rows:
        index = indexes[row.phone]
        user = known.get(index)
        problem = _problem(judge, row, user, taken)
        if problem:
            report.errors.append(problem)
            continue
        try:
            with transaction.atomic():
                made = user is None
                if user is None:
                    user = _new_user(row, index, names)
                changed = _bring_up_to_date(user, row, made)
                scope = Scope(ROLES[row.role].level, row.district, row.school)
                before = user.grants.filter(
                    revoked_at=None, role=row.role, school_code=row.school, district_code=row.district
                )
                granted = not before.exists()
                if granted:
                    not_oneself(actor, user)
                identity.open_grant(actor, user, row.role, scope)
                if made:
                    record(
                        actor, "user.create", "user", user.username, detail={"name": user.name, "by": "list"}
                    )
        except XuekaError as error:
            report.errors.append(judge.problem(row.line, "role", error.code, error.message.rstrip("。"), ""))
            continue
        known[index] = user
        accepted.append(row)
        report.created += made
        report.updated += not made and (changed or granted)
        report.unchanged += not (made or changed or granted)
    report.schools = len({row.school for row in accepted if row.school})
    report.totals = dict(Counter(ROLES[row.role].label for row in accepted))


def _problem(judge: Judge, row: OfficerRow, user: User | None, taken: set[str]) -> LineProblem | None:
    """What the accounts that exist have against the row. A stranger's name is never told."""
    if user is not None and user.name != row.name:
        what = "这个手机号已是另一人的账号；一人一号，不得共用。改了姓名的请由管理员办理"
        return judge.problem(row.line, "phone", "PHONE_TAKEN", what, "")
    if user is not None and not user.is_active:
        return judge.problem(row.line, "phone", "USER_INACTIVE", "此人的账号已停用，请先恢复", "")
    if row.username and row.username in taken and (user is None or user.username != row.username):
        return judge.problem(row.line, "username", "USERNAME_TAKEN", "用户名已被使用", row.username)
    return None


def _new_user(row: OfficerRow, index: bytes, names: "_Names") -> User:
    username = row.username or names.next(row)
    user = identity.new_user(username, row.name)
    user.awaits_activation, user.may_choose_username = True, not row.username
    user.phone_index = index
    user.envelope = fields.seal({"phone": row.phone, "email": row.email})
    user.set_unusable_password()
    user.save(force_insert=True)
    return user


def _bring_up_to_date(user: User, row: OfficerRow, made: bool) -> bool:
    if made:
        return False
    kept = fields.unseal(bytes(user.envelope)) if user.envelope else {}
    if not row.email or kept.get("email") == row.email:
        return False
    user.envelope = fields.seal({"phone": row.phone, "email": row.email})
    user.save(update_fields=["envelope"])
    return True


class _Names:
    """User names by rule: `s` and the school's code (`d` and the district's), a full stop, a number."""

    def __init__(self) -> None:
        self._last: dict[str, int] = defaultdict(int)

    def next(self, row: OfficerRow) -> str:
        stem = f"s{row.school}." if row.school else f"d{row.district}."
        if stem not in self._last:
            used = User.objects.filter(username__startswith=stem).values_list("username", "first_username")
            used_also = User.objects.filter(first_username__startswith=stem).values_list(
                "username", "first_username"
            )
            found = [
                re.fullmatch(re.escape(stem) + r"(\d+)", name)
                for pair in (*used, *used_also)
                for name in pair
            ]
            self._last[stem] = max((int(match[1]) for match in found if match), default=0)
        self._last[stem] += 1
        return f"{stem}{self._last[stem]}"
