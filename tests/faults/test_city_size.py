"""A whole city by one command, at a small size: everything that `verify` asks holds, and nothing is empty."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import prepared_home
from tests.support.size import dial

STUDENTS = dial(4_000, 20_000)
#: No page needs more (statistics have most, 73); lists need 23, and one more query a row would be fifty more.
QUERIES, OF_A_LIST = 90, 30
#: What a city of this kind has none of, by the beginnings of the invariants' names.
EMPTY = (
    "cards_blank_is_in_its_card",
    "registry_campus_has_a_main_school",
    "registry_left_students_",
    "registry_befores_",
    "absence_",
    "initialisation_",
    "numbers_hand_overs_",
    "numbers_counter_",
    "export_",
    "year_job_",
    "schoolyear_",
    "takeover_",
    "exchange_",
    "mail_",
    "reminders_",
    "interop_",
    "transit_",
    "welfare_",
    "entitlement_",
    "number_request_",
    "tong_application_",
    "disagreement_",
    "matter_",
    "identity_",
    "grant_request_",
    "officers_",
    "hand_over_",
    "repair",
    # Nobody has written a card at a counter yet, lent a place on it, or changed a key.
    "key_change_",
    "keys_use",
    "print",
    "card_profile_",
    "card_script_",
    "issuing_agent_",
    "personalization_",
    "unit_",
    "card_grant",
    "sam_",
    "stock_take_",
    "credential_",
    "custody_is_unbroken",
    "lost_modules_",
    "hot_list_follows_the_cards",
    "partner_calls_",
    # Keys have not gone anywhere, and no family has asked for a card or paid for one.
    "key_delivery_",
    "keys_deliveries_",
    "keys_parts_",
    "families_",
    "shipment",  # nothing has been ordered from a courier yet
    "lost_parcels_",
    "replacements_ended_",
    "replacements_handed_out_",
    "refund",
    "receipts_taken_back_",
    "strays_",
    "unknown_money_",
    "break_",
    "treasury_breaks_",
    "back_payments_",
)
LISTS = {"objects:students", "objects:cards", "objects:applications", "objects:deliveries"}


def _xueka(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
    environment |= {"XUEKA_HOME": str(home), "DJANGO_SETTINGS_MODULE": "xueka.config.settings"}
    return subprocess.run(
        [sys.executable, "-m", "xueka", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def _city(home: Path, seed: int) -> dict[str, Any]:
    done = _xueka(home, "demo", "city", "--students", str(STUDENTS), "--seed", str(seed), "--json")
    assert done.returncode == 0, done.stderr[-2000:]
    made: dict[str, Any] = json.loads(done.stdout)
    return made


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    home = prepared_home.lay_out(tmp_path_factory.mktemp("whole-city"))
    return home, _city(home, seed=5)


def test_cards_of_years_lie_in_every_room(city: tuple[Path, dict[str, Any]]) -> None:
    made = city[1]
    assert made["students"] == STUDENTS
    assert made["cards"] > STUDENTS
    assert made["history"] > 10 * STUDENTS
    assert {"active", "lost", "cancelled", "destroyed", "failed"} <= set(made["card_states"])
    assert made["batches"] and made["deliveries"] and made["boxes"] and made["audit"]


def test_everything_holds(city: tuple[Path, dict[str, Any]]) -> None:
    done = _xueka(city[0], "verify", "--json")
    assert done.returncode == 0, done.stdout[-2000:]
    results = json.loads(done.stdout)["invariants"]
    unchecked = [each["name"] for each in results if not each["checked"]]
    assert [name for name in unchecked if not name.startswith(EMPTY)] == []


def test_a_city_that_is_there_is_not_overwritten(city: tuple[Path, dict[str, Any]]) -> None:
    again = _xueka(city[0], "demo", "city", "--students", "1000", "--json")
    assert again.returncode == 1
    assert json.loads(again.stdout)["error"]["code"] == "HOME_NOT_EMPTY"


@pytest.mark.skipif(
    STUDENTS < 20_000, reason="the second city is made where there is time: XUEKA_TEST_SIZE=full"
)
def test_the_same_seed_gives_the_same_city(city: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    left_out = {"seconds": 0, "peak_mb": 0}
    assert {**_city(tmp_path, seed=5), **left_out} == {**city[1], **left_out}


def test_every_page_of_every_role_is_there_with_a_bounded_number_of_queries(
    city: tuple[Path, dict[str, Any]],
) -> None:
    """Lists are full here, so that one more query a row shows as fifty."""
    home = city[0]
    environment = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
    environment |= {"XUEKA_HOME": str(home), "DJANGO_SETTINGS_MODULE": "xueka.config.settings"}
    command = [sys.executable, "-m", "tests.faults.city_pages"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    asked = [json.loads(line) for line in done.stdout.splitlines()]
    assert {each["user"] for each in asked} >= {"school", "district", "operator", "admin", "auditor"}
    assert {each["page"] for each in asked} >= LISTS
    typed = [each for each in asked if each["status"] == 403]  # a list that the role has not
    assert {each["page"] for each in typed} <= LISTS and all("?q=" in each["address"] for each in typed)
    assert [each for each in asked if each["status"] not in (200, 302, 403)] == []
    many = {
        each["page"]: each["queries"]
        for each in asked
        if each["queries"] > (OF_A_LIST if each["page"] in LISTS else QUERIES)
    }
    assert many == {}, "a page asks the database once a row, or too much"
