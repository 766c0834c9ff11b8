"""The bureau's address and keys: two people, and the fingerprint read over the telephone."""

import pytest
from django.db import IntegrityError, transaction

from tests.unit.production.conftest import DISTRICT, ENCRYPTION, FIRST, HOST_KEY, OTHER, SECOND, SIGNING
from xueka.contexts.production import api as production
from xueka.contexts.production.models import Partner
from xueka.contexts.production.services.partners import confirmed_partner, keys_in_force
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.platform.audit.models import Entry

pytestmark = pytest.mark.django_db


def entry(**changed: object) -> dict:
    return {
        "code": "bureau",
        "name": "样例卡厂",
        "host": "sftp.example.cn",
        "port": 22,
        "username": "city",
        "host_key": HOST_KEY,
        "signing_key": SIGNING.public.to_pem().decode(),
        "encryption_key": ENCRYPTION.public.to_pem().decode(),
        **changed,
    }


def spoken(fingerprint: str) -> str:
    """In groups of eight, as people read it."""
    return " ".join(fingerprint[at : at + 8] for at in range(0, 64, 8)).upper()


def test_in_use_only_after_another_person_has_confirmed() -> None:
    production.register_partner(FIRST, **entry())
    with pytest.raises(Refused) as refused:
        confirmed_partner()
    assert refused.value.code == "NO_PARTNER"
    signing, encryption = spoken(SIGNING.public.fingerprint), spoken(ENCRYPTION.public.fingerprint)
    with pytest.raises(Refused) as refused:
        production.confirm_partner(FIRST, "bureau", signing, encryption)
    assert refused.value.code == "SECOND_PERSON"
    production.confirm_partner(SECOND, "bureau", signing, encryption)
    assert confirmed_partner().code == "bureau"
    assert keys_in_force().signing_public_key == SIGNING.public
    assert keys_in_force().encryption_public_key == ENCRYPTION.public
    assert set(Entry.objects.values_list("action", flat=True)) == {"partner.register", "partner.confirm"}


def test_a_fingerprint_that_differs_confirms_nothing() -> None:
    production.register_partner(FIRST, **entry())
    heard = spoken(OTHER.public.fingerprint)
    for fingerprints in ((heard, ENCRYPTION.public.fingerprint), (SIGNING.public.fingerprint, heard)):
        with pytest.raises(Refused) as refused:
            production.confirm_partner(SECOND, "bureau", *fingerprints)
        assert refused.value.code == "FINGERPRINT_DIFFERS"
    assert Partner.objects.get().confirmed_by == ""


def test_entered_anew_it_waits_for_confirmation_again() -> None:
    production.register_partner(FIRST, **entry())
    production.confirm_partner(SECOND, "bureau", SIGNING.public.fingerprint, ENCRYPTION.public.fingerprint)
    production.register_partner(SECOND, **entry(host="other.example.cn"))
    with pytest.raises(Refused):
        confirmed_partner()


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"signing_key": "nonsense"}, "SM2_KEY"),
        ({"encryption_key": HOST_KEY}, "SM2_KEY"),
        ({"host_key": "ssh-ed25519 AAAA"}, "HOST_KEY"),
        ({"port": 0}, "PARTNER_ADDRESS"),
        ({"host": " "}, "PARTNER_ADDRESS"),
    ],
)
def test_what_cannot_be_right_is_refused(changed: dict, code: str) -> None:
    with pytest.raises(BadInput) as refused:
        production.register_partner(FIRST, **entry(**changed))
    assert refused.value.code == code
    assert Partner.objects.count() == 0


def test_only_those_who_may() -> None:
    with pytest.raises(Forbidden):
        production.register_partner(DISTRICT, **entry())
    with pytest.raises(NotFound):
        production.confirm_partner(SECOND, "nobody", "", "")
    assert production.partners(DISTRICT.scope) == []


def confirmed(code: str = "bureau", **changed: object) -> None:
    production.register_partner(FIRST, **entry(code=code, **changed))
    production.confirm_partner(SECOND, code, SIGNING.public.fingerprint, ENCRYPTION.public.fingerprint)


def test_a_new_bureau_retires_the_other() -> None:
    confirmed("first")
    confirmed("second")
    assert confirmed_partner().code == "second"
    assert list(Partner.objects.filter(in_use=True)) == [confirmed_partner()]
    assert Entry.objects.filter(action="partner.retire", object_id="first").count() == 1
    with pytest.raises(IntegrityError), transaction.atomic():
        Partner.objects.update(in_use=True)


def test_another_address_with_the_same_keys_is_no_change_of_keys() -> None:
    confirmed()
    before = keys_in_force()
    confirmed(port=2222)
    assert keys_in_force() == before
    assert confirmed_partner().port == 2222


def test_the_database_asks_for_two_people_too() -> None:
    production.register_partner(FIRST, **entry())
    with pytest.raises(IntegrityError), transaction.atomic():
        Partner.objects.update(confirmed_by="op-a")


@pytest.mark.parametrize("field", ["code", "name", "host", "username"])
def test_an_address_that_nobody_could_keep_is_said(field: str) -> None:
    for value in ("", "x" * 101):
        with pytest.raises(BadInput) as refused:
            production.register_partner(FIRST, **entry(**{field: value}))
        assert refused.value.code == "PARTNER_ADDRESS"
    assert not Partner.objects.exists()
