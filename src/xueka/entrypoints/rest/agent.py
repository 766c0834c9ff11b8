"""The interface of the issuing agents: enrol, poll, report (docs/interfaces/issuing-agent.md)."""

import base64
import threading
import time
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest

from xueka.contexts.personalization import api as personalization
from xueka.entrypoints.rest import agent_forms as forms
from xueka.entrypoints.rest import agent_problems
from xueka.entrypoints.rest.agent_problems import Problem
from xueka.entrypoints.rest.printing import hear, next_print_work, report_print
from xueka.entrypoints.rest.reference import DescribedAPI, refusals
from xueka.entrypoints.rest.signatures import signed_by
from xueka.kernel import clock
from xueka.platform.identity.addresses import client_address

#: Polls that one process holds open at a time; the pages need the other threads.
_HELD = threading.BoundedSemaphore(2)
_LOOK_EVERY = 0.25  # seconds
REFUSALS = refusals(426)
ENROL_A_MINUTE = 10

api = DescribedAPI(
    title="学卡 发卡代理接口",
    version="1",
    urls_namespace="agent_api",
    docs_url=None,
    openapi_url="openapi.json",
    description="注册、领取命令、报告结果。说明见《发卡代理接口》。",
)
agent_problems.register(api)


def _signed(request: HttpRequest) -> personalization.Agent:
    return signed_by(request)


@api.post("/enrol", response={200: forms.Enrolled, **REFUSALS}, auth=None, summary="注册")
def enrol(request: HttpRequest, body: forms.Enrolling) -> dict[str, Any]:
    """A one-time code makes an agent known."""
    address = client_address(request)
    _not_too_many(address)
    _new_enough(body.version)
    try:
        key = base64.b64decode(body.public_key, validate=True)
    except ValueError:  # also for what is not ASCII
        key = b""
    with transaction.atomic():
        agent = personalization.enrol(body.code, body.name, key, body.version, address)
    return {"agent": agent.code, "poll_seconds": settings.AGENT_POLL_SECONDS}


@api.post("/poll", response={200: forms.Polled, **REFUSALS}, auth=_signed, summary="报告状态、领取工作")
def poll(request: HttpRequest, body: forms.Polling) -> dict[str, Any]:
    """What the readers and printers show; the next work, or after a while nothing."""
    agent: personalization.Agent = request.auth  # type: ignore[attr-defined]
    _new_enough(body.version)
    readers = [personalization.ReaderReport(each.name, each.state, each.atr) for each in body.readers]
    printers = [each.dict() for each in body.printers]
    with transaction.atomic():
        personalization.seen(agent, body.version, readers, printers, client_address(request))
        hear(agent, printers)
    personalization.note_lost(agent, readers, body.waiting)
    work = _wait_for_work(agent, readers)
    return {"work": work, "poll_seconds": settings.AGENT_POLL_SECONDS}


@api.post(
    "/sessions/{session}/runs/{run}",
    response={200: forms.Next, **REFUSALS},
    auth=_signed,
    summary="报告一组命令的结果",
)
def report(request: HttpRequest, session: str, run: str, body: forms.Reported) -> dict[str, Any]:
    """The answers of the card; the next run."""
    agent: personalization.Agent = request.auth  # type: ignore[attr-defined]
    if not session.isascii() or not session.isdigit() or len(session) > 15:
        raise Problem(404, "SESSION_UNKNOWN", "没有这次写卡。")
    answers = [(bytes.fromhex(each.data), each.sw, each.ms) for each in body.answers]
    given = personalization.Report(body.outcome, body.atr, answers)
    return personalization.report(agent, int(session), run[:40], given)


@api.post(
    "/print-jobs/{job}", response={200: forms.PrintState, **REFUSALS}, auth=_signed, summary="报告打印结果"
)
def print_job(request: HttpRequest, job: str, body: forms.PrintReported) -> dict[str, Any]:
    """What became of a print job."""
    agent: personalization.Agent = request.auth  # type: ignore[attr-defined]
    with transaction.atomic():
        return {"state": report_print(agent, job, body.state, body.message)}


def _wait_for_work(
    agent: personalization.Agent, readers: list[personalization.ReaderReport]
) -> dict[str, Any] | None:
    """Work at once, or as soon as there is some while this process may hold the request. A fresher poll of
    the same agent ends it: what this one says of the readers is no longer so.
    """
    until = time.monotonic() + settings.AGENT_POLL_HOLD
    held = False
    failed: set[int | str] = set()
    try:
        while True:
            work = personalization.next_card_work(agent, readers, failed) or next_print_work(agent)
            if work or time.monotonic() >= until or not personalization.is_latest(agent):
                return work
            held = held or _HELD.acquire(blocking=False)
            if not held:
                return None
            time.sleep(_LOOK_EVERY)
    finally:
        if held:
            _HELD.release()


def _not_too_many(address: str) -> None:
    """Guessing codes from one address ends after some tries a minute."""
    name = f"enrol:{address}:{int(clock.now().timestamp()) // 60}"
    cache.add(name, 0, timeout=120)  # outlives its minute: nothing expires while it is counted
    try:
        tries = cache.incr(name)
    except ValueError:  # a full cache has dropped it in between
        cache.set(name, tries := 1, timeout=120)
    if tries > ENROL_A_MINUTE:
        raise Problem(429, "TOO_MANY", "尝试太频繁。", "请一分钟后再试。", retry_after=60)


def _new_enough(version: str) -> None:
    if _parts(version) < _parts(settings.AGENT_MINIMUM):
        raise Problem(
            426,
            "AGENT_TOO_OLD",
            f"发卡代理 {version} 版太旧。",
            "请更新后再用。",
            minimum=settings.AGENT_MINIMUM,
        )


def _parts(version: str) -> list[int]:
    return [int("".join(filter(str.isdigit, part)) or 0) for part in version.split(".")]
