"""Comparing with the student registry, school by school, after each fetch that was brought in.

Counts first; where they do not explain each other the school's students are read and the differing ones kept.
A school and what it showed are kept together: a kill at any moment costs one school (docs/adr/0275).
"""

import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction

from xueka.contexts.interop.adapters.records import STUDENT_REGISTRY, STUDENTS
from xueka.contexts.interop.domain.buckets import DIFFERS, MISSING_THERE, Compared
from xueka.contexts.interop.domain.transitions import GONE
from xueka.contexts.interop.models import Comparison, Difference, SchoolRound
from xueka.contexts.interop.services.comparing import keep_differences
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor

log = structlog.get_logger("xueka.interop")

WORKER = Actor.system("worker")
CODE = STUDENT_REGISTRY
TRIES = 30
LONGEST_PAUSE, LONGEST_WAIT = 300, 3600
UNLIKE = 200  # schools that a round names


def begin_round() -> SchoolRound | None:
    """The round under way; a new one where something was brought in since the last. None: nothing to do."""
    under_way = SchoolRound.objects.filter(ended_at=None).first()
    if under_way or not registry.has_registry():
        return under_way
    fetch = registry.last_brought_in()
    if fetch is None or SchoolRound.objects.filter(started_at__gte=fetch.ended_at).exists():
        return None
    try:
        with transaction.atomic():
            return SchoolRound.objects.create(started_at=clock.now(), next_at=clock.now())
    except IntegrityError:
        return None  # another worker was quicker


def advance(until: Callable[[], bool] = lambda: False) -> None:
    """Compare on, school by school, until all are done, a call fails, or `until` says so. An edge."""
    found = begin_round()
    fetch = registry.last_brought_in()
    if found is None or fetch is None or (found.next_at and found.next_at > clock.now()):
        return
    try:
        with registry.registry_client() as client:
            for code, orgs in registry.registry_schools():
                if code <= found.up_to:
                    continue
                if until():
                    return
                found = _one_school(client, fetch, found, code, orgs)
        _end(found.id, "")
    except XuekaError as error:
        _put_off(found.id, error)


def _one_school(
    client: registry.RegistryClient,
    fetch: registry.OneRosterFetch,
    before: SchoolRound,
    code: str,
    orgs: list[str],
) -> SchoolRound:
    begins = f"{code}/"
    standing = Difference.objects.filter(counterpart=CODE, dataset=STUDENTS, key__startswith=begins)
    closely = standing.exclude(state=GONE).exists()
    begun = time.monotonic()
    try:
        seen = registry.compare_school(client, code, orgs, fetch, closely=closely)
    except registry.RegistryRefused as error:
        if not error.unknown:
            raise
        seen = None  # the registry does not answer for this school: nothing is known of it
    differing = {f"{begins}{key}": pair for key, pair in seen.differing.items()} if seen else {}
    with transaction.atomic():
        locked = SchoolRound.objects.select_for_update().get(id=before.id)
        if locked.up_to != before.up_to or locked.ended_at:
            return locked  # somebody else has compared this school
        locked.up_to, locked.tries, locked.next_at, locked.problem = code, 0, clock.now(), ""
        if seen is None:
            locked.unasked += 1
        else:
            locked.schools += 1
            locked.ours += seen.ours
            locked.theirs += seen.theirs
            locked.calls += seen.calls
            locked.known = dict(Counter(locked.known) + seen.known)
            if differing and len(locked.unlike) < UNLIKE:
                locked.unlike = [*locked.unlike, [code, seen.ours, seen.theirs, len(differing)]]
            keep_differences(WORKER, CODE, STUDENTS, Compared(differing=differing), set(), begins)
        locked.save()
    # So many calls a second at most, however quickly the registry answers.
    calls = seen.calls if seen else 1
    time.sleep(max(0.0, calls / settings.ONEROSTER_CALLS_PER_SECOND - (time.monotonic() - begun)))
    return locked


def _end(round_id: int, problem: str) -> None:
    with transaction.atomic():
        found = SchoolRound.objects.select_for_update().get(id=round_id)
        if found.ended_at:
            return
        if not problem and found.unasked and not found.schools:
            problem = "学籍系统不答按校的名单（schools/…/students）。"
        standing = Difference.objects.filter(counterpart=CODE, dataset=STUDENTS).exclude(state=GONE)
        kinds = Counter(standing.values_list("kind", flat=True))
        both = max(found.ours - kinds[MISSING_THERE], 0)
        found.comparison = Comparison.objects.create(
            counterpart=CODE,
            dataset=STUDENTS,
            started_at=found.started_at,
            finished_at=clock.now(),
            ours=found.ours,
            theirs=found.theirs,
            both=both,
            agreeing=max(both - kinds[DIFFERS], 0),
            differing=sum(kinds.values()),
            on_the_way=sum(found.known.values()),
            round_trips=found.calls,
            whole=not problem,
            problem=problem[:200],
        )
        found.ended_at, found.next_at, found.problem = clock.now(), None, problem[:200]
        found.save()
        detail = {"dataset": STUDENTS, "lines": found.ours, "differing": sum(kinds.values())}
        record(WORKER, "interop.reconcile", "counterpart", CODE, detail=detail)


def _put_off(round_id: int, error: XuekaError) -> None:
    said = " ".join(str(part) for part in (error.message, error.found) if part)[:200]
    with transaction.atomic():
        found = SchoolRound.objects.select_for_update().get(id=round_id)
        found.tries += 1
        found.problem = said
        wait = min(float(getattr(error, "wait", 0)), LONGEST_WAIT)
        found.next_at = clock.now() + timedelta(seconds=max(min(2**found.tries, LONGEST_PAUSE), wait))
        found.save()
    log.warning("interop.schools_put_off", code=error.code, tries=found.tries)
    if found.tries >= TRIES or isinstance(error, registry.RegistryRefused):
        _end(round_id, said)
