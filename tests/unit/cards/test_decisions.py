"""The decisions themselves, without a database."""

from datetime import date

import pytest

from tests.support.machines import rows_of
from xueka.contexts.cards.domain import applying, reviewing, states
from xueka.contexts.cards.domain.rules import validity
from xueka.contexts.cards.domain.transitions import APPLICATION

GOOD = {
    "id": 7,
    "state": states.DRAFT,
    "levels": ["district", "city"],
    "kind_open": True,
    "photo_missing": False,
    "consent_missing": False,
    "submitted_by": "officer",
    "card_elsewhere": False,
    "last_event": "approve",
    "last_actor": "reviewer",
    "came_from": states.SCHOOL_REVIEW,
}
VERBS = ("submit", "withdraw", "approve", "send_back", "refuse", "recall", "cancel")


def judge(verb: str, may: bool = True, username: str = "reviewer", **change: object) -> str | None:
    found = reviewing.judge(verb, reviewing.Case(**{**GOOD, **change}), username, lambda _: may)
    return found.code if found else None


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("state", APPLICATION.state_codes)
def test_a_verb_is_open_exactly_where_the_table_has_a_row(verb: str, state: str) -> None:
    expected = None if rows_of(APPLICATION, verb, state) else "TRANSITION_NOT_ALLOWED"
    assert judge(verb, state=state) == expected


@pytest.mark.parametrize(
    ("levels", "path"),
    [
        ([], ["accepted"]),
        (["city"], ["city_review", "accepted"]),
        (["district", "city"], ["district_review", "city_review", "accepted"]),
        (["city", "school", "district"], ["school_review", "district_review", "city_review", "accepted"]),
    ],
)
def test_reviews_follow_the_configuration_in_their_order(levels: list[str], path: list[str]) -> None:
    state, walked = states.DRAFT, []
    while state != states.ACCEPTED:
        state = reviewing.next_state(levels, state)
        walked.append(state)
    assert walked == path


def test_a_level_that_was_configured_away_still_leads_on() -> None:
    assert reviewing.next_state(["city"], states.SCHOOL_REVIEW) == states.CITY_REVIEW
    assert reviewing.next_state([], states.DISTRICT_REVIEW) == states.ACCEPTED


@pytest.mark.parametrize("verb", ["approve", "send_back", "refuse"])
def test_nobody_reviews_what_they_submitted(verb: str) -> None:
    assert judge(verb, state=states.CITY_REVIEW, username="officer") == "REVIEWER_IS_SUBMITTER"
    assert judge(verb, state=states.CITY_REVIEW) is None


@pytest.mark.parametrize(
    ("verb", "change", "code"),
    [
        ("submit", {"kind_open": False}, "KIND_CLOSED"),
        ("submit", {"photo_missing": True}, "PHOTO_MISSING"),
        ("submit", {"consent_missing": True}, "CONSENT_MISSING"),
        ("submit", {"may": False}, "NOT_YOUR_LEVEL"),
        ("approve", {"may": False, "state": states.CITY_REVIEW}, "NOT_YOUR_LEVEL"),
        ("approve", {"photo_missing": True, "state": states.CITY_REVIEW}, None),
        ("cancel", {"card_elsewhere": True, "state": states.IN_PRODUCTION}, "CARD_ELSEWHERE"),
    ],
)
def test_what_else_stands_in_the_way(verb: str, change: dict, code: str | None) -> None:
    assert judge(verb, **change) == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, None),
        ({"last_event": "send_back", "state": states.RETURNED}, None),
        ({"state": states.ACCEPTED, "came_from": states.CITY_REVIEW}, None),
        ({"last_actor": "somebody"}, "NOT_YOUR_STEP"),
        ({"last_event": "submit"}, "NOT_YOUR_STEP"),
        ({"last_event": "remake", "state": states.ACCEPTED}, "NOT_YOUR_STEP"),
        ({"may": False}, "NOT_YOUR_LEVEL"),
        ({"state": states.IN_PRODUCTION}, "TRANSITION_NOT_ALLOWED"),
        ({"came_from": states.CITY_REVIEW}, "TRANSITION_NOT_ALLOWED"),
    ],
)
def test_only_ones_own_last_step_is_taken_back(change: dict, code: str | None) -> None:
    assert judge("recall", **{"state": states.CITY_REVIEW, **change}) == code


@pytest.mark.parametrize(
    ("reason", "change", "code"),
    [
        ("new", {}, None),
        ("new", {"enrolled": False}, "NOT_ENROLLED"),
        ("new", {"account_closed": True}, "ACCOUNT_CLOSED"),
        ("new", {"open_application": "SL1"}, "APPLICATION_OPEN"),
        ("new", {"live_state": states.ACTIVE}, "HAS_CARD"),
        ("new", {"live_state": states.LOST}, "HAS_CARD"),
        ("lost", {}, "NO_OLD_CARD"),
        ("lost", {"live_state": states.ACTIVE}, "NOT_REPORTED_LOST"),
        ("lost", {"live_state": states.LOST}, None),
        ("damaged", {}, "NO_OLD_CARD"),
        ("damaged", {"live_state": states.ACTIVE}, None),
        ("transfer", {"live_state": states.LOST}, None),
    ],
)
def test_who_may_apply_for_what(reason: str, change: dict, code: str | None) -> None:
    clean = {
        "student_id": 1,
        "enrolled": True,
        "account_closed": False,
        "open_application": "",
        "live_state": None,
    }
    found = applying.judge(reason, applying.Applicant(**{**clean, **change}))
    assert (found.code if found else None) == code


@pytest.mark.parametrize(
    ("day", "years", "until"),
    [
        (date(2026, 9, 1), 12, date(2038, 8, 31)),
        (date(2026, 8, 31), 12, date(2037, 8, 31)),
        (date(2027, 1, 5), 6, date(2032, 8, 31)),
    ],
)
def test_a_card_is_valid_until_the_end_of_a_school_year(day: date, years: int, until: date) -> None:
    assert validity(day, years) == (day, until)
