"""The partner interface under requests made up from its description: no 500, nothing that is not described.

quality.md 16. Each seed is printed; `XUEKA_FUZZ_SEED` gives one again.
"""

import os
import secrets
from collections import Counter
from collections.abc import Iterator
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
from xueka.config.wsgi import application
from xueka.kernel import clock
from xueka.kernel.clock import SimulatedClock, simulated

__all__ = ["partners"]
REQUESTS = dial(400, 200_000)
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
def test_no_request_breaks_it_and_every_answer_is_described(partners: Partners) -> None:
    partners.granted(partners.vendor.code)
    number = number_of(partners.city.active(partners.city.students(1))[0])
    tick()
    vendor = Partner(partners.credential(partners.vendor.code, per_minute=60_000))
    schema = schemathesis.openapi.from_wsgi("/api/partner/v1/openapi.json", application)
    operations = [each.ok() for each in schema.get_all_operations()]
    print(f"seed {SEED}, {len(operations)} operations")
    seen: Counter[tuple[str, int]] = Counter()
    moving = SimulatedClock(clock.now())
    with simulated(moving):
        for place, operation in enumerate(operations):
            fuzz(operation, SEED + place, REQUESTS // len(operations), vendor.headers, number, seen, moving)
    print(dict(seen))
    assert sum(seen.values()) >= REQUESTS * 0.9
    for operation in operations:
        assert seen[operation.label, 200], f"{operation.label} never answered 200"


def fuzz(
    operation: schemathesis.schemas.APIOperation,
    begin: int,
    count: int,
    credential: dict[str, str],
    number: str,
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
        """A stranger, a partner's program that errs, or one that does as it should."""
        moving.advance(timedelta(seconds=4))  # limits are by the minute
        headers = {**(case.headers or {}), **(credential if known else {})}
        if sensible:
            headers["Idempotency-Key"] = f"key-{sum(seen.values()):08}"
            if "number" in (case.path_parameters or {}):
                case.path_parameters["number"] = number
            if "since" in (case.query or {}):
                case.query["since"] = 0
            if operation.method == "post":
                is_report = operation.path.endswith("reports")
                case.body = {"version": 0, "devices": 1} if is_report else {"numbers": [number]}
        answer = case.call(base_url="https://localhost", headers=headers)
        seen[operation.label, answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    one()
