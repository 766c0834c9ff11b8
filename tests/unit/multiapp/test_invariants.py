"""Every invariant of this context: violated once by direct SQL, and caught."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from django.db import connection, transaction
from django.test import Client

from tests.unit.cards.conftest import NOW
from tests.unit.multiapp.conftest import ONE, OTHER, SYSTEM, Partners, add_version, make_partners
from tests.unit.multiapp.test_hot_list import number, tick
from tests.unit.multiapp.test_partner_api import Partner
from tests.unit.multiapp.test_sams import LOADED, SLIP
from xueka.contexts.cards import api as cards
from xueka.contexts.multiapp import api as multiapp
from xueka.kernel import clock
from xueka.platform.database import address
from xueka.platform.database.address import Role
from xueka.platform.invariants import check

ALL = {invariant.name: invariant for invariant in multiapp.INVARIANTS}
_MACHINES = {
    "unit": ("unit", "closed"),
    "card_grant": ("cardgrant", "suspended"),
    "sam": ("sam", "returned"),
    "sam_risk": ("risk", "open"),
    "stock_take": ("stocktake", "cancelled"),
    "credential": ("credential", "ended"),
}
VIOLATIONS = {
    **{
        f"{name}_state_equals_last_history_row": f"UPDATE multiapp_{table} SET state = '{state}'"
        for name, (table, state) in _MACHINES.items()
    },
    **{
        f"{name}_steps_allowed": f"UPDATE history_transition SET event = 'x' WHERE machine = '{name}'"
        for name in _MACHINES
    },
    "card_grants_hold_their_place": "UPDATE multiapp_grantplace SET holds = false",
    "card_grant_changes_have_two_people": (
        "UPDATE history_transition SET actor = 'one' WHERE machine = 'card_grant' AND event = 'approve'"
    ),
    "custody_is_unbroken": "UPDATE multiapp_custody SET to_unit_id = NULL WHERE what = 'issue'",
    "lost_modules_have_a_risk": "DELETE FROM multiapp_risk",
    "hot_list_follows_the_cards": "UPDATE multiapp_hotcard SET state = '', version = 99",
    "partner_calls_add_up": "DELETE FROM multiapp_apicall WHERE outcome = 'valid'",
}


@transaction.atomic
def a_bit_of_everything(made: Partners) -> None:
    made.granted(made.vendor.code)
    add_version("education.adf.external")
    names = ["PSAM-0001", "PSAM-0002"]
    multiapp.receive_sams(ONE, names, "PSAM-B", replace(SLIP, given_by="厂家"))
    for serial in names:
        multiapp.load_sam(ONE, serial, made.vendor.code, [LOADED])
        multiapp.issue_sam(ONE, serial, made.vendor.code, SLIP)
    risk = multiapp.lose_sam(ONE, "PSAM-0001", "被盗")
    assert risk
    multiapp.settle_risk(OTHER, risk.number, "换版本")
    multiapp.sign_stock_take(OTHER, multiapp.begin_stock_take(ONE).number)
    partner = Partner(made.credential(made.vendor.code))
    good, lost = made.city.active(made.city.students(2))
    assert isinstance(partner.client, Client)
    assert partner.get(f"/cards/{number(good)}/validity").json()["state"] == "valid"
    partner.get("/me")
    cards.report_lost(SYSTEM, lost)


@pytest.fixture
def everything(transactional_db: None) -> Iterator[None]:
    with clock.at(NOW):
        made = make_partners()
        tick(), tick(), tick()
        a_bit_of_everything(made)
        tick(), tick(), tick()
        with clock.at(NOW + timedelta(days=1)), transaction.atomic():
            assert multiapp.sum_up(SYSTEM) == 1
    yield


def test_each_holds_and_each_violation_is_caught(everything: None) -> None:
    results = {name: check(invariant) for name, invariant in ALL.items()}
    assert {name: result for name, result in results.items() if result.violated or not result.checked} == {}
    assert set(VIOLATIONS) == set(ALL)
    missed = {}
    for name, invariant in ALL.items():
        with psycopg.connect(**address.parameters(Role.OWNER, connection.settings_dict["NAME"])) as owner:
            for table in ("history_transition", "multiapp_cardgrant", "multiapp_custody"):
                owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            assert owner.execute(VIOLATIONS[name]).rowcount > 0
            row = owner.execute(invariant.sql).fetchone()
            owner.rollback()
        if not row or not 0 < row[1] <= row[0]:
            missed[name] = row
    assert missed == {}
