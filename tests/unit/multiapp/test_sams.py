"""Secure access modules: what is in them, who has them, what a lost one gives away, counting them."""

from dataclasses import replace

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from tests.unit.multiapp.conftest import ONE, OTHER, Partners, add_version
from xueka.contexts.multiapp import api as multiapp
from xueka.contexts.multiapp.models import Custody, Sam, SamKey, Seen, StockTake
from xueka.kernel.errors import BadInput, Conflict, Forbidden, NotFound, Refused
from xueka.platform.audit.models import Entry
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

SLIP = multiapp.Slip("赵库管", "李工", "JJ-2026-01", "孙复核")
LOADED = multiapp.Loading("education.adf.external", 1, "8B AF 47")
TEACHER = Actor.in_role("t", "老师", "school_officer", Scope("school", "110101", "2111010001"))


@pytest.fixture
def store(partners: Partners) -> Partners:
    """Three modules in the store; the vendor is granted a key of which there are three versions."""
    partners.granted(partners.vendor.code)
    add_version("education.adf.external")
    add_version("education.adf.external", 2, "112233", "verify_only")
    add_version("education.adf.external", 3, "445566", "retired")
    multiapp.receive_sams(
        ONE,
        ["psam-0001", "PSAM-0002", "PSAM-0003"],
        "PSAM-B",
        replace(SLIP, received_by="赵库管", given_by="厂家"),
    )
    return partners


@transaction.atomic
def issued(partners: Partners, serial: str = "PSAM-0001") -> Sam:
    multiapp.load_sam(ONE, serial, partners.vendor.code, [LOADED])
    return multiapp.issue_sam(ONE, serial, partners.vendor.code, SLIP, "食堂 1 号机")


def test_from_the_store_to_a_unit_and_back(store: Partners) -> None:
    sam = issued(store)
    assert (sam.state, sam.unit, sam.device) == ("issued", store.vendor, "食堂 1 号机")
    multiapp.give_back_sam(ONE, "PSAM-0001", replace(SLIP, given_by="李工", received_by="赵库管"))
    assert multiapp.restock_sam(ONE, "PSAM-0001").state == "loaded"
    chain = Custody.objects.filter(sam__serial="PSAM-0001").values_list("seq", "what", "from_unit", "to_unit")
    unit = store.vendor.id
    assert list(chain) == [
        (1, "receive", None, None),
        (2, "issue", None, unit),
        (3, "give_back", unit, None),
    ]
    assert multiapp.wipe_sam(ONE, "PSAM-0001", "换密钥版本").state == "in_stock"
    assert not SamKey.objects.filter(sam__serial="PSAM-0001", until=None).exists()


def test_only_what_is_granted_and_in_use_goes_in(store: Partners) -> None:
    for loading, code in (
        (replace(LOADED, kcv="8BAF48"), "KCV_MISMATCH"),
        (replace(LOADED, version=3, kcv="445566"), "KEY_STATE"),
        (replace(LOADED, version=4), "KEY_VERSION_NOT_FOUND"),
        (replace(LOADED, label="education.adf.maintain"), "SAM_KEY_NOT_GRANTED"),
    ):
        with pytest.raises((Refused, NotFound)) as refusal, transaction.atomic():
            multiapp.load_sam(ONE, "PSAM-0001", store.vendor.code, [loading])
        assert refusal.value.code == code
        assert "8baf47" not in str(refusal.value.as_dict())  # a wrong check value is not told the right one
    with pytest.raises(Refused), transaction.atomic():
        multiapp.load_sam(ONE, "PSAM-0001", store.unit.code, [LOADED])
    for loadings in ([], [LOADED, replace(LOADED, version=2, kcv="112233")]):
        with pytest.raises(BadInput), transaction.atomic():
            multiapp.load_sam(ONE, "PSAM-0001", store.vendor.code, loadings)
    assert multiapp.sam(ONE.scope, "PSAM-0001").state == "in_stock"


def test_a_module_stays_where_its_keys_are_granted(store: Partners) -> None:
    issued(store)
    with pytest.raises(Refused) as refusal:
        multiapp.hand_over_sam(ONE, "PSAM-0001", store.unit.code, SLIP)
    assert refusal.value.code == "SAM_KEY_NOT_GRANTED"
    store.granted(store.unit.code, "practice")
    assert multiapp.hand_over_sam(ONE, "PSAM-0001", store.unit.code, SLIP).unit == store.unit
    with pytest.raises(Refused) as left:
        multiapp.close_unit(ONE, store.unit.code, "x")
    assert "PSAM-0001" in str(left.value.found)


def test_a_lost_module_names_what_is_open(store: Partners) -> None:
    issued(store)
    risk = multiapp.lose_sam(ONE, "PSAM-0001", "机具被盗")
    assert risk is not None
    assert risk.keys == [{"label": LOADED.label, "version": 1, "kcv": "8baf47", "usage": "external"}]
    assert multiapp.open_risks(ONE.scope) == 1
    with pytest.raises(Refused) as own:
        multiapp.settle_risk(ONE, risk.number, "已换版本")
    assert own.value.code == "SECOND_PERSON"
    back = replace(SLIP, given_by="民警", received_by="赵库管")
    assert multiapp.find_sam(ONE, "PSAM-0001", "公安追回", back).state == "returned"
    assert multiapp.open_risks(ONE.scope) == 1
    assert multiapp.settle_risk(OTHER, risk.number, "第 2 版启用，第 1 版停用").state == "settled"
    assert multiapp.lose_sam(ONE, "PSAM-0002", "清点少一个") is None
    assert Entry.objects.filter(action="sam_risk.open", object_id=risk.number).count() == 1


def test_destroyed_before_two_witnesses(store: Partners) -> None:
    issued(store)
    people = {"done_by": "甲", "witness_1": "乙", "witness_2": "丙", "document": "XH-1"}
    with pytest.raises(Refused):
        multiapp.destroy_sam(ONE, "PSAM-0001", **people)
    multiapp.give_back_sam(ONE, "PSAM-0001", SLIP)
    with pytest.raises(BadInput):
        multiapp.destroy_sam(ONE, "PSAM-0001", **people | {"witness_2": "甲"})
    assert multiapp.destroy_sam(ONE, "PSAM-0001", **people).state == "destroyed"
    with pytest.raises(Refused):
        multiapp.load_sam(ONE, "PSAM-0001", store.vendor.code, [LOADED])


def test_what_is_not_signed_does_not_change_hands(store: Partners) -> None:
    multiapp.load_sam(ONE, "PSAM-0001", store.vendor.code, [LOADED])
    for slip in (
        replace(SLIP, document=" "),
        replace(SLIP, given_by=""),
        replace(SLIP, received_by="赵库管"),
    ):
        with pytest.raises(BadInput), transaction.atomic():
            multiapp.issue_sam(ONE, "PSAM-0001", store.vendor.code, slip)
    assert multiapp.sam(ONE.scope, "PSAM-0001").state == "loaded"


@pytest.mark.parametrize("serials", [[], ["x"], ["PSAM-9", "PSAM-9"], ["PSAM 9"]])
def test_serials_are_checked(store: Partners, serials: list[str]) -> None:
    with pytest.raises(BadInput):
        multiapp.receive_sams(ONE, serials, "PSAM-B", SLIP)
    with pytest.raises(Conflict) as known:
        multiapp.receive_sams(ONE, ["PSAM-0009", "psam-0001"], "PSAM-B", SLIP)
    assert known.value.found == "PSAM-0001"
    assert Sam.objects.count() == 3


def test_the_database_refuses_what_cannot_be(store: Partners) -> None:
    issued(store)
    with pytest.raises(IntegrityError), transaction.atomic():
        Sam.objects.filter(serial="PSAM-0001").update(unit=None)
    with pytest.raises(DatabaseError), transaction.atomic():
        Custody.objects.filter(sam__serial="PSAM-0001").update(received_by="x")
    with pytest.raises(IntegrityError), transaction.atomic():
        SamKey.objects.create(
            sam=Sam.objects.get(serial="PSAM-0001"),
            label=LOADED.label,
            version=SamKey.objects.get().version,
            usage="external",
            since=SamKey.objects.get().since,
            loaded_by="x",
        )


def test_counting(store: Partners) -> None:
    issued(store)
    take = multiapp.begin_stock_take(ONE)
    assert take.expected == ["PSAM-0002", "PSAM-0003"]
    with pytest.raises(Conflict):
        multiapp.begin_stock_take(OTHER)
    assert multiapp.see(ONE, take.number, "psam-0002") == ("PSAM-0002", True)
    multiapp.see(ONE, take.number, "PSAM-0002")
    assert multiapp.see(ONE, take.number, "PSAM-0001") == ("PSAM-0001", False)
    assert Seen.objects.count() == 2
    with pytest.raises(Refused) as own:
        multiapp.sign_stock_take(ONE, take.number)
    assert own.value.code == "SECOND_PERSON"
    signed = multiapp.sign_stock_take(OTHER, take.number)
    assert (signed.missing, signed.strange) == (["PSAM-0003"], ["PSAM-0001"])
    with pytest.raises(Refused):
        multiapp.see(ONE, take.number, "PSAM-0003")
    at_unit = multiapp.begin_stock_take(ONE, store.vendor.code)
    assert at_unit.expected == ["PSAM-0001"]
    assert multiapp.cancel_stock_take(ONE, at_unit.number, "改日").state == "cancelled"
    assert StockTake.objects.count() == 2


def test_strangers_may_nothing(store: Partners) -> None:
    with pytest.raises(Forbidden):
        multiapp.receive_sams(TEACHER, ["PSAM-0009"], "PSAM-B", SLIP)
    with pytest.raises(NotFound):
        multiapp.lose_sam(TEACHER, "PSAM-0001", "x")
    with pytest.raises(NotFound):
        multiapp.sam(TEACHER.scope, "PSAM-0001")
