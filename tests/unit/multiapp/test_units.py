"""Units: schools that come later, other contacts, cut off at once."""

import pytest

from tests.unit.multiapp.conftest import ONE, Partners
from xueka.contexts.multiapp import api as multiapp
from xueka.kernel.errors import BadInput, NotFound, Refused
from xueka.platform.audit.models import Entry


def schools_of(unit: multiapp.Unit) -> set[str]:
    return set(unit.places.values_list("school__code", flat=True))


def test_schools_are_added_once_and_grants_do_not_grow(partners: Partners) -> None:
    first, second = (school.code for school in partners.city.schools[:2])
    grant = partners.granted(partners.vendor.code)
    fresh = multiapp.add_schools(ONE, partners.vendor.code, [second, first, second])
    assert [school.code for school in fresh] == [second]
    assert schools_of(partners.vendor) == {first, second}
    assert multiapp.add_schools(ONE, partners.vendor.code, [second]) == []
    assert Entry.objects.get(action="unit.add_schools").detail["schools"] == [second]
    assert [place.school.code for place in grant.places.all()] == [first]


def test_schools_are_refused_in_words_and_none_is_kept(partners: Partners) -> None:
    second = partners.city.schools[1].code
    with pytest.raises(NotFound):
        multiapp.add_schools(ONE, partners.vendor.code, [second, "9999999999"])
    assert second not in schools_of(partners.vendor)
    with pytest.raises(BadInput):
        multiapp.add_schools(ONE, partners.vendor.code, [])
    with pytest.raises(Refused) as whole:
        multiapp.add_schools(ONE, partners.unit.code, [second])
    assert whole.value.code == "UNIT_WHOLE_CITY"
    multiapp.close_unit(ONE, partners.vendor.code, "合同到期")
    with pytest.raises(Refused) as closed:
        multiapp.add_schools(ONE, partners.vendor.code, [second])
    assert closed.value.code == "UNIT_CLOSED"


def test_a_unit_is_cut_off_at_once_with_all_it_has(partners: Partners) -> None:
    grant = partners.granted(partners.vendor.code)
    old = partners.credential(partners.vendor.code).credential
    new = multiapp.rotate_credential(ONE, old.key_id).credential
    done = multiapp.block_unit(ONE, partners.vendor.code, "密码泄露")
    assert (done.credentials, done.grants) == ([old.key_id, new.key_id], [grant.number])
    assert {multiapp.credential(ONE.scope, each.key_id).state for each in (old, new)} == {"revoked"}
    assert multiapp.grant(ONE.scope, grant.number).state == "suspended"
    assert Entry.objects.get(action="unit.block").detail["reason"] == "密码泄露"
    with pytest.raises(Refused) as again:
        multiapp.block_unit(ONE, partners.vendor.code, "再来一次")
    assert again.value.code == "UNIT_NOTHING_TO_BLOCK"
    with pytest.raises(BadInput):
        multiapp.block_unit(ONE, partners.vendor.code, "  ")
