"""The interfaces of partners and of issuing agents under requests made up from their descriptions: no 500,
nothing that is not described.

quality.md 16. Each seed is printed; `XUEKA_FUZZ_SEED` gives one again.
"""

import base64
import os
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from datetime import timedelta

import pytest
import schemathesis
from django.core import signals
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.size import dial
from tests.unit.multiapp.conftest import Partners, partners
from tests.unit.multiapp.test_hot_list import number as number_of
from tests.unit.multiapp.test_hot_list import tick
from tests.unit.multiapp.test_partner_api import Partner
from tests.unit.personalization.conftest import FIRST
from tests.unit.rest.test_agent_api import IDLE, Hand, hand
from xueka.config.wsgi import application
from xueka.contexts.personalization import api as personalization
from xueka.entrypoints.rest import agent
from xueka.kernel import clock
from xueka.kernel.clock import SimulatedClock, simulated

__all__ = ["hand", "partners"]
REQUESTS = {"partner": dial(400, 200_000), "agent": dial(200, 20_000)}
SEED = int(os.environ.get("XUEKA_FUZZ_SEED", "0")) or secrets.randbelow(2**32)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture
def one_connection() -> Iterator[None]:
    """As Django's own test client does: the end of a request must not end the test's transaction."""
    both = (signals.request_started, signals.request_finished)
    for signal in both:
        signal.disconnect(close_old_connections)
    yield
    for signal in both:
        signal.connect(close_old_connections)


@pytest.mark.usefixtures("one_connection")
def test_a_partner_breaks_nothing_and_every_answer_is_described(partners: Partners) -> None:
    partners.granted(partners.vendor.code)
    number = number_of(partners.city.active(partners.city.students(1))[0])
    tick()
    vendor = Partner(partners.credential(partners.vendor.code, per_minute=60_000))

    def sensible(case: schemathesis.Case) -> None:
        if "number" in (case.path_parameters or {}):
            case.path_parameters["number"] = number
        if "since" in (case.query or {}):
            case.query["since"] = 0
        if case.operation.method == "post":
            is_report = case.operation.path.endswith("reports")
            case.body = {"version": 0, "devices": 1} if is_report else {"numbers": [number]}

    whole("partner", lambda: vendor.headers, sensible)


@pytest.mark.usefixtures("one_connection")
def test_an_agent_breaks_nothing_and_every_answer_is_described(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose requests are signed; what is wrong with signatures is asked in unit/rest/test_agent_api.py."""
    honest = agent.signed_by
    known = {"Xueka-Agent": hand.agent.code, "Xueka-Fuzz": "signed"}
    monkeypatch.setattr(
        agent,
        "signed_by",
        lambda request: hand.agent if request.headers.get("Xueka-Fuzz") else honest(request),
    )

    def sensible(case: schemathesis.Case) -> None:
        if case.operation.path.endswith("/enrol"):
            code, _ = personalization.make_code(FIRST)
            key = base64.b64encode(secrets.token_bytes(32)).decode()
            case.body = {"code": code, "name": "二号", "public_key": key, "version": "0.1.0"}
        elif case.operation.path.endswith("/poll"):
            case.body = IDLE

    whole("agent", lambda: known, sensible, never_right={"print-jobs", "sessions"})


def whole(
    name: str,
    credential: Callable[[], dict[str, str]],
    sensible: Callable[[schemathesis.Case], None],
    never_right: Collection[str] = (),
) -> None:
    """Every operation; each answers 200 some time, but those that need a card or a printer."""
    schema = schemathesis.openapi.from_wsgi(f"/api/{name}/v1/openapi.json", application)
    operations = [each.ok() for each in schema.get_all_operations()]
    print(f"seed {SEED}, {len(operations)} operations")
    seen: Counter[tuple[str, int]] = Counter()
    moving = SimulatedClock(clock.now())
    requests = REQUESTS[name]
    with simulated(moving):
        for place, operation in enumerate(operations):
            fuzz(operation, SEED + place, requests // len(operations), credential(), sensible, seen, moving)
    print(dict(seen))
    assert sum(seen.values()) >= requests * 0.9
    for operation in operations:
        if not any(part in operation.path for part in never_right):
            assert seen[operation.label, 200], f"{operation.label} never answered 200"


def fuzz(
    operation: schemathesis.schemas.APIOperation,
    begin: int,
    count: int,
    credential: dict[str, str],
    make_sensible: Callable[[schemathesis.Case], None],
    seen: Counter[tuple[str, int]],
    moving: SimulatedClock,
) -> None:
    @seed(begin)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), known=..., sensible=...)
    def one(case: schemathesis.Case, known: bool, sensible: bool) -> None:
        """A stranger, a known program that errs, or one that does as it should."""
        moving.advance(timedelta(seconds=4))  # limits are by the minute
        headers = {**(case.headers or {}), **(credential if known else {})}
        if sensible:
            headers["Idempotency-Key"] = f"key-{sum(seen.values()):08}"
            make_sensible(case)
        answer = case.call(base_url="https://localhost", headers=headers)
        seen[operation.label, answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    one()
