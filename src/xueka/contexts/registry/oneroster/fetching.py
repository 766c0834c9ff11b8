"""Fetching from the registry by REST. Pages are kept as they come, and brought in as a package in the end.

The functions that walk are edges: they open their transactions and may be killed anywhere. A page and the
place after it are kept together; the next walk goes on from there.
"""

import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import IntegrityError, connection, transaction

from xueka.contexts.registry.domain import oneroster_walk as walk
from xueka.contexts.registry.domain.oneroster_rest import KINDS
from xueka.contexts.registry.importing import runs
from xueka.contexts.registry.models import ImportRun, OneRosterFetch, OneRosterPage, Student
from xueka.contexts.registry.oneroster.fetched_package import Opened, bring_in, doubt_of, open_pages
from xueka.contexts.registry.oneroster.importing import OneRosterReport
from xueka.contexts.registry.oneroster.registry_client import (
    RegistryClient,
    RegistryRefused,
    RegistryUnavailable,
    partner,
    registry_client,
)
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict, NotFound, Refused, XuekaError
from xueka.platform.audit.services import record
from xueka.platform.crypto.fields import seal_bytes
from xueka.platform.identity.actor import Actor

log = structlog.get_logger("xueka.oneroster")

WORKER = Actor.system("oneroster")
TRIES = 30
LONGEST_PAUSE = 300
LONGEST_WAIT = 3600
"""Seconds between calls in vain: of our own accord, and where the registry asks for a pause."""
SHORT = 3
"""How often a list may be found short, each time after all its walks, before a person is told."""
Say = Callable[[OneRosterFetch], object]


# ---- asked for


def ask(actor: Actor, *, full: bool = False, check_only: bool = False) -> OneRosterFetch:
    """Begin a fetch, in the caller's transaction: everything, or what changed since the last one brought in.

    Without one before, everything is fetched. `check_only`: a person applies it. Raises Refused
    `ONEROSTER_NO_PARTNER`, Conflict `ONEROSTER_FETCHING`. Needs `city:registry:import`.
    """
    actor.require(runs.PERMISSION)
    if partner() is None:
        raise Refused(
            "ONEROSTER_NO_PARTNER",
            "还没有学籍系统交来的参数文件。",
            where=str(settings.ONEROSTER_PARTNER),
            action="请向登记方取得参数文件，放到指定位置；也可以导入 zip 包。",
        )
    since = "" if full else _since()
    try:
        with transaction.atomic():
            made = OneRosterFetch.objects.create(
                full=not since,
                since=since,
                latest=since,
                check_only=check_only,
                cursor=walk.start(),
                asked_by=actor.username,
                started_at=clock.now(),
                next_at=clock.now(),
            )
    except IntegrityError:
        raise _open_already() from None
    record(actor, "oneroster.fetch", "import", detail={"fetch": made.id, "full": made.full, "since": since})
    return made


def _since() -> str:
    """From when on to ask: before the latest moment that was brought in, and before we began to read then.

    Records are dated by another clock, and may be stored later than they are dated: the overlap is for both.
    """
    last = OneRosterFetch.objects.filter(run__reverted_at=None, run__isnull=False).order_by("-id").first()
    if last is None or not last.latest:
        return ""
    moment = min(datetime.fromisoformat(last.latest), last.started_at)
    return _text(moment - timedelta(hours=settings.ONEROSTER_OVERLAP_HOURS))


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _open_already() -> Conflict:
    found = OneRosterFetch.objects.filter(ended_at=None).first()
    since = f"{clock.local(found.started_at):%m-%d %H:%M}" if found else ""
    return Conflict(
        "ONEROSTER_FETCHING",
        "上一次获取还没有办完，同一时间只能有一次。",
        found=f"第 {found.id} 次，自 {since} 起" if found else None,
        action="请等它办完；等人决定的请先应用或放弃。",
    )


# ---- walked


def advance(fetch_id: int, *, until: Callable[[], bool] = lambda: False, say: Say | None = None) -> None:
    """Read on until everything is there, a call fails, or `until` says so; then judge what came.

    A call that fails puts off the next one, longer each time; after so many in vain the fetch has failed.
    What else goes wrong with what came is a mistake of ours: it counts as a try, and is raised.
    """
    fetch = OneRosterFetch.objects.get(id=fetch_id)
    try:
        with registry_client() as client:
            while fetch.ended_at is None and fetch.fetched_at is None and not until():
                fetch = _one_page(client, fetch)
                if say:
                    say(fetch)
        if fetch.fetched_at and not fetch.ended_at and not fetch.waits:
            _settle(fetch_id)
    except RegistryUnavailable as error:
        _put_off(fetch_id, error, error.wait)
    except RegistryRefused as error:
        _fail(fetch_id, error)
    except Exception as error:
        said = f"本系统处理取来的数据时出错（{type(error).__name__}）。"
        _put_off(fetch_id, XuekaError("ONEROSTER_BROKEN", said))
        raise


def _one_page(client: RegistryClient, fetch: OneRosterFetch) -> OneRosterFetch:
    """One call, and what it brought kept with the place to go on from."""
    before = fetch.cursor
    answered = client.page(before["kind"], before["offset"], settings.ONEROSTER_LIMIT, fetch.since)
    with transaction.atomic():
        locked = OneRosterFetch.objects.select_for_update().get(id=fetch.id)
        if locked.cursor != before or locked.ended_at:
            return locked  # somebody else has read this page, or dropped the fetch
        heard = walk.Heard(answered.ids, answered.total, answered.more)
        after = walk.step(before, heard, settings.ONEROSTER_LIMIT)
        if after["read"] > settings.ONEROSTER_MOST:
            raise _endless(after)
        if after.get("keep"):
            OneRosterPage.objects.create(
                fetch=locked,
                kind=before["kind"],
                number=before["number"],
                ids=answered.ids,
                envelope=seal_bytes(zlib.compress(answered.content, 1)),
            )
        if after["at_end"]:
            after = _next_kind(locked, after)
        locked.cursor = after
        locked.latest = max(locked.latest, _moment(answered.latest))
        locked.tries, locked.next_at, locked.problem = 0, clock.now(), ""
        locked.save()
    return locked


def _endless(cursor: dict[str, Any]) -> RegistryRefused:
    """A list without a count, or whose count runs ahead, ends only where the registry lets it end."""
    return RegistryRefused(
        "ONEROSTER_ENDLESS",
        f"学籍系统的列表 {cursor['kind']} 没有尽头。",
        found=f"已读 {cursor['read']} 条",
        expected=f"至多 {settings.ONEROSTER_MOST} 条（XUEKA_ONEROSTER_MOST）",
    )


def _next_kind(fetch: OneRosterFetch, cursor: dict[str, Any]) -> dict[str, Any]:
    """After the end of one list: the next, or the same once more where it moved or is not whole."""
    found = _distinct(fetch.id, cursor["kind"])
    fetch.counts[cursor["kind"]] = found
    if again := walk.again(cursor, found):
        return again
    if walk.is_short(cursor, found):
        raise RegistryUnavailable(
            "ONEROSTER_INCOMPLETE",
            f"学籍系统的列表 {cursor['kind']} 读了几遍都不齐。",
            found=f"{found} 条",
            expected=f"X-Total-Count {cursor['total']} 条",
        )
    following = walk.following(cursor, KINDS)
    if following is None:
        fetch.fetched_at = clock.now()
        return cursor
    return following


def _distinct(fetch_id: int, kind: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT x) FROM registry_onerosterpage p, jsonb_array_elements_text(p.ids) AS x"
            " WHERE p.fetch_id = %s AND p.kind = %s",
            [fetch_id, kind],
        )
        return int(cursor.fetchone()[0])


def _moment(text: str) -> str:
    """In one form, not later than now: a record dated next year must not hide what comes before."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return ""
    return _text(min(moment if moment.tzinfo else moment.replace(tzinfo=UTC), clock.now()))


def _put_off(fetch_id: int, error: XuekaError, wait: float = 0) -> None:
    with transaction.atomic():
        fetch = OneRosterFetch.objects.select_for_update().get(id=fetch_id)
        if fetch.ended_at:
            return
        fetch.tries += 1
        fetch.problem = _words(error)
        short = fetch.cursor.get("short", 0) + (error.code == "ONEROSTER_INCOMPLETE")
        if error.code == "ONEROSTER_INCOMPLETE":  # a good page in between does not forgive it
            fetch.cursor = {**walk.anew(fetch.cursor), "short": short}
        pause = max(min(2**fetch.tries, LONGEST_PAUSE), min(wait, LONGEST_WAIT))
        fetch.next_at = clock.now() + timedelta(seconds=pause)
        if fetch.tries >= TRIES or short >= SHORT:
            fetch.ended_at, fetch.next_at = clock.now(), None
        fetch.save()
    log.warning("oneroster.put_off", fetch=fetch_id, code=error.code, tries=fetch.tries)


def _fail(fetch_id: int, error: XuekaError) -> None:
    OneRosterFetch.objects.filter(id=fetch_id, ended_at=None).update(
        problem=_words(error), ended_at=clock.now(), next_at=None
    )
    log.warning("oneroster.failed", fetch=fetch_id, code=error.code)


def _words(error: XuekaError) -> str:
    parts = (("位置", error.where), ("读到", error.found), ("应为", error.expected))
    said = [error.message, *(f"{word}：{part}" for word, part in parts if part)]
    return " ".join(map(str, said))[:400]


# ---- judged and brought in


def _settle(fetch_id: int) -> None:
    """Differences first; what is not doubtful is brought in, the rest waits for a person."""
    try:
        with transaction.atomic():
            fetch = OneRosterFetch.objects.select_for_update().get(id=fetch_id)
            if fetch.ended_at or fetch.waits:
                return
            opened = open_pages(fetch)
            doubt = "看过差异后由人应用。"
            if not fetch.check_only and settings.ONEROSTER_APPLY != "person":
                doubt = _try(fetch, opened)
            if doubt:
                report = bring_in(WORKER, fetch, opened, dry_run=True)
                fetch.problem, fetch.waits = doubt_of(report, Student.objects.count()) or doubt, True
                fetch.check_run = _latest_run()
            fetch.next_at = None
            fetch.save()
    except Conflict as error:
        _put_off(fetch_id, error)
    except BadInput as error:
        _fail(fetch_id, error)


def _try(fetch: OneRosterFetch, opened: Opened) -> str:
    """Bring in what came, and undo it where a person should look at it first; returns why, or empty.

    Nobody sees it before the commit. To compare first and do the same work again would take twice as long.
    """
    students = Student.objects.count()
    with transaction.atomic():
        doubt = doubt_of(bring_in(WORKER, fetch, opened), students)
        if doubt:
            transaction.set_rollback(True)
        else:
            _end(fetch)
            fetch.check_run = fetch.run
    return doubt


def _end(fetch: OneRosterFetch) -> None:
    fetch.run = _latest_run()
    fetch.ended_at, fetch.waits, fetch.problem = clock.now(), False, ""


def _latest_run() -> ImportRun | None:
    return ImportRun.objects.order_by("-id").first()


def apply_fetch(actor: Actor, fetch_id: int) -> OneRosterReport:
    """A person has seen the differences: bring them in, in the caller's transaction.

    Raises NotFound `ONEROSTER_FETCH_NOT_FOUND`, Conflict `ONEROSTER_FETCH_OVER`. Needs
    `city:registry:import`.
    """
    fetch = _waiting(actor, fetch_id)
    report = bring_in(actor, fetch, open_pages(fetch))
    _end(fetch)
    fetch.save()
    return report


def drop_fetch(actor: Actor, fetch_id: int) -> None:
    """A person gives a fetch up that is not brought in yet. Raises as `apply_fetch`."""
    fetch = _waiting(actor, fetch_id, walking=True)
    fetch.ended_at, fetch.waits, fetch.next_at = clock.now(), False, None
    fetch.problem = (fetch.problem or "已放弃。")[:400]
    fetch.save()
    record(actor, "oneroster.drop", "import", detail={"fetch": fetch.id})


def _waiting(actor: Actor, fetch_id: int, *, walking: bool = False) -> OneRosterFetch:
    actor.require(runs.PERMISSION)
    rows = OneRosterFetch.objects.visible_to(actor.scope).select_for_update()
    fetch = rows.filter(id=fetch_id).first()
    if fetch is None:
        raise NotFound("ONEROSTER_FETCH_NOT_FOUND", "没有这次获取。")
    if fetch.ended_at or not (fetch.waits or walking):
        raise Conflict(
            "ONEROSTER_FETCH_OVER",
            "这次获取已经办完，或还没有取齐。",
            action="请刷新后再看。",
        )
    return fetch


# ---- looked at


def has_registry() -> bool:
    """Whether the student registry has handed anything over."""
    return bool(settings.ONEROSTER_PARTNER.exists())


def fetches(actor: Actor, limit: int = 10) -> list[OneRosterFetch]:
    """The latest first, each with its runs."""
    rows = OneRosterFetch.objects.visible_to(actor.scope).select_related("run", "check_run").defer("cursor")
    return list(rows.order_by("-id")[:limit])


# ---- by the hour


def due_tonight() -> bool | None:
    """Whether a fetch is due by the hour: True for everything, False for changes, None for no fetch.

    After a run was taken back nothing is fetched by itself: the registry still says what was not wanted.
    """
    if settings.ONEROSTER_HOUR == "off":
        return None
    now = clock.local(clock.now())
    due = now.replace(hour=int(settings.ONEROSTER_HOUR), minute=0, second=0, microsecond=0)
    last = OneRosterFetch.objects.order_by("-id").first()
    if now < due or (last and (last.ended_at is None or last.started_at >= due)):
        return None
    brought = OneRosterFetch.objects.filter(run__isnull=False).select_related("run").order_by("-id").first()
    if brought and brought.run and brought.run.reverted_at:
        return None
    full = OneRosterFetch.objects.filter(run__isnull=False, full=True).order_by("-id").first()
    return full is None or now - full.started_at >= timedelta(days=settings.ONEROSTER_FULL_DAYS)


def due_fetches() -> list[int]:
    rows = OneRosterFetch.objects.filter(ended_at=None, waits=False, next_at__lte=clock.now())
    return list(rows.values_list("id", flat=True))


def forget_pages() -> int:
    """Delete what came with fetches that ended long ago; returns how many pages."""
    last = clock.now() - timedelta(days=settings.ONEROSTER_PAGES_DAYS)
    old = OneRosterPage.objects.filter(fetch__ended_at__lt=last).order_by("id").values_list("id", flat=True)
    return OneRosterPage.objects.filter(id__in=list(old[:500])).delete()[0]


def take_theirs(actor: Actor, key: str, theirs: str, seen_at: datetime) -> None:
    """A difference is settled in the registry's favour as everything is: by fetching all of it, once for any
    number of them (`settings.INTEROP_TAKERS`). Raises as `ask`.
    """
    actor.require(runs.PERMISSION)
    if not OneRosterFetch.objects.filter(ended_at=None, full=True).exists():
        ask(actor, full=True)
