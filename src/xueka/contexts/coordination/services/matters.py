"""What is done with a matter: opened, put to the other side, answered, ended; whose it is and until when."""

from datetime import date, timedelta

from xueka.contexts.coordination.adapters import attachments
from xueka.contexts.coordination.domain.parties import ABOUT, PARTIES
from xueka.contexts.coordination.domain.transitions import ENDED, MATTER, READ, WORK
from xueka.contexts.coordination.models import DUE, FILE, NOTE, OWNER, STEP, Attachment, Line, Matter
from xueka.contexts.coordination.queries import attachments_of, days_for, matter
from xueka.contexts.coordination.services.about import must_be_there
from xueka.kernel import clock
from xueka.kernel.calendar import Calendar
from xueka.kernel.errors import BadInput, NotFound, Refused, XuekaError
from xueka.kernel.text import normalise
from xueka.platform.audit.services import record
from xueka.platform.files import services as files
from xueka.platform.history.services import apply, begin
from xueka.platform.identity import accounts
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import reason_given

STEPS = tuple(MATTER.event_codes)


def open_matter(
    actor: Actor,
    party: str,
    kind: str,
    subject: str,
    text: str = "",
    *,
    about_kind: str = "",
    about: str = "",
    owner: str = "",
) -> Matter:
    """Open a matter; it is due so many working days from today. Needs `city:coordination:work`.

    Raises BadInput `PARTY_UNKNOWN`, `KIND_UNKNOWN`, `SUBJECT_MISSING`, `ABOUT_WRONG`, `ABOUT_UNKNOWN`,
    NotFound `USER_NOT_FOUND`, Refused `OWNER_CANNOT`.
    """
    actor.require(WORK)
    if party not in PARTIES:
        raise BadInput("PARTY_UNKNOWN", "没有这个协调对象。", found=party[:20], expected="、".join(PARTIES))
    if kind not in PARTIES[party].kinds:
        known = "、".join(each.label for each in PARTIES[party].kinds.values())
        raise BadInput("KIND_UNKNOWN", "没有这类事项。", where="事项", found=kind[:20], expected=known)
    subject, text = normalise(subject)[:100], text.strip()[:1000]
    if not subject:
        raise BadInput("SUBJECT_MISSING", "请写明标题。", where="标题", expected="一句话")
    about_kind, about = about_kind.strip(), about.strip()[:80]
    if about_kind not in ABOUT or bool(about_kind) != bool(about):
        raise BadInput(
            "ABOUT_WRONG",
            "所涉对象不对。",
            where="所涉对象",
            found=f"{about_kind}:{about}"[:80],
            expected="种类和编号都填，或都不填",
            action="请补全，或都清空。",
        )
    if about:
        must_be_there(actor, about_kind, about)
    now = clock.now()
    due, guessed = _due(days_for(party, kind))
    found = Matter.objects.create(
        number=f"?{now.timestamp():.6f}"[:20],
        party=party,
        kind=kind,
        subject=subject,
        text=text,
        about_kind=about_kind,
        about=about,
        owner=_known(owner) or actor.username,
        due_on=due,
        state=MATTER.initial,
        state_at=now,
        opened_at=now,
        opened_by=actor.username,
    )
    found.number = f"XT{clock.today():%y}-{found.id:04d}"
    found.save(update_fields=["number"])
    begin(MATTER, [found.id], actor)
    said = f"期限 {due:%Y-%m-%d}，{days_for(party, kind)} 个工作日"
    _write(actor, found, DUE, said + ("（明年放假安排没有载入，按周一至周五推算）" if guessed else ""))
    _audit(actor, "open", found, party=party, kind=kind, due=due.isoformat())
    return found


def step(actor: Actor, matter_id: int, event: str, text: str) -> Matter:
    """Ask, answer, finish or cancel, and what was said. Raises BadInput `REASON_MISSING`, Refused."""
    found = _locked(actor, matter_id)
    text = reason_given(text)
    apply(MATTER, Matter, [found.id], event, actor, reason=text)
    _write(actor, found, STEP, f"{MATTER.event_label(event)}：{text}")
    _audit(actor, event, found, reason=text)
    found.refresh_from_db()
    return found


def note(actor: Actor, matter_id: int, text: str) -> Matter:
    """A line in its file; also after the end."""
    found = _locked(actor, matter_id)
    text = text.strip()[:1000]
    if not text:
        raise BadInput("NOTE_MISSING", "请写内容。", where="记事", expected="一句话")
    _write(actor, found, NOTE, text)
    _audit(actor, "note", found)
    return found


def attach(actor: Actor, matter_id: int, name: str, content: bytes, text: str = "") -> Attachment:
    """A file to its file, also after the end; kept sealed, since letters name people. Raises what
    `attachments.checked` does, Refused `ATTACHMENTS_FULL`.
    """
    found = _locked(actor, matter_id)
    name, media_type = attachments.checked(name, content)
    if Attachment.objects.filter(line__matter=found).count() >= attachments.MOST:
        raise Refused(
            "ATTACHMENTS_FULL",
            "这个事项的附件已满。",
            expected=f"至多 {attachments.MOST} 个",
            action="请合并后再上传，或另提一个事项。",
        )
    kept = files.store(actor, name, media_type, content, personal=True)
    line = _write(actor, found, FILE, "：".join(filter(None, (name, text.strip()[:500]))))
    made = Attachment.objects.create(line=line, file=kept)
    _audit(actor, "attach", found, file=name, size=str(len(content)))
    return made


def read_attachment(actor: Actor, number: str, attachment_id: int) -> tuple[str, bytes]:
    """Name and content; who took it is on record. Raises NotFound `ATTACHMENT_NOT_FOUND`, what `matter` and
    `files.read` do.
    """
    actor.require(READ)
    found = matter(actor.scope, number)
    row = attachments_of(found).filter(id=attachment_id).first()
    if row is None:
        raise NotFound("ATTACHMENT_NOT_FOUND", "没有这个附件。", action="请刷新页面后再试。")
    content = files.read(row.file)
    _audit(actor, "download", found, file=row.file.name)
    return row.file.name, content


def assign(actor: Actor, matter_id: int, owner: str) -> Matter:
    """Whose it is from now on. Raises NotFound `USER_NOT_FOUND`, Refused `OWNER_CANNOT`, `MATTER_ENDED`."""
    found = _open(actor, matter_id)
    found.owner = _known(owner)
    if not found.owner:
        raise BadInput("OWNER_MISSING", "请写明负责人的登录名。", where="负责人")
    found.save(update_fields=["owner"])
    _write(actor, found, OWNER, f"由 {found.owner} 负责")
    _audit(actor, "assign", found, owner=found.owner)
    return found


def set_due(actor: Actor, matter_id: int, due_on: date, reason: str) -> Matter:
    """Another day, and why. Raises BadInput `DUE_PAST`, `REASON_MISSING`, Refused `MATTER_ENDED`."""
    found = _open(actor, matter_id)
    reason = reason_given(reason)
    if due_on < clock.today():
        raise BadInput(
            "DUE_PAST", "期限不能早于今天。", where="期限", found=f"{due_on:%Y-%m-%d}", action="请改选日期。"
        )
    _write(actor, found, DUE, f"期限由 {found.due_on:%Y-%m-%d} 改为 {due_on:%Y-%m-%d}：{reason}")
    found.due_on = due_on
    found.save(update_fields=["due_on"])
    _audit(actor, "set_due", found, due=due_on.isoformat(), reason=reason)
    return found


def _locked(actor: Actor, matter_id: int) -> Matter:
    actor.require(WORK)
    found = Matter.objects.visible_to(actor.scope).select_for_update().filter(id=matter_id).first()
    if found is None:
        raise NotFound("MATTER_NOT_FOUND", "没有这个协调事项。", action="请刷新页面后再试。")
    return found


def _open(actor: Actor, matter_id: int) -> Matter:
    found = _locked(actor, matter_id)
    if found.state in ENDED:
        raise Refused("MATTER_ENDED", "这个事项已经结束。", found=MATTER.state(found.state).label)
    return found


def _known(owner: str) -> str:
    """The user name of somebody who can do the work. Raises NotFound `USER_NOT_FOUND`, Refused
    `OWNER_CANNOT`.
    """
    owner = owner.strip()
    if not owner:
        return ""
    user = accounts.find(owner)
    if not user.is_active or not any(each.may(WORK) for each in accounts.actors_of(user)):
        raise Refused(
            "OWNER_CANNOT",
            "这位用户不能办理协调事项，不能当负责人。",
            where="负责人",
            found=user.username,
            action="请填写能办理协调事项的在用账号。",
        )
    return str(user.username)


def _due(days: int) -> tuple[date, bool]:
    """The day, and whether it was counted without the notice of its year."""
    try:
        return Calendar.default().add_working_days(clock.today(), days), False
    except XuekaError as error:
        if error.code != "CALENDAR_YEAR_MISSING":
            raise
    day = clock.today()
    for _ in range(days):
        day += timedelta(days=1)
        while day.isoweekday() > 5:
            day += timedelta(days=1)
    return day, True


def _write(actor: Actor, found: Matter, kind: str, text: str) -> Line:
    """Under the lock of the matter, so that the lines are numbered without gap."""
    seq = Line.objects.filter(matter=found).count() + 1
    return Line.objects.create(
        matter=found, seq=seq, kind=kind, text=text[:1000], at=clock.now(), by=actor.username
    )


def _audit(actor: Actor, verb: str, found: Matter, **detail: str) -> None:
    record(actor, f"matter.{verb}", "matter", found.number, detail=detail)
