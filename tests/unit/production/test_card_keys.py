"""Card keys for the bureau: agreed by two people, proved before anything leaves, one use on record."""

import base64
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from django.db import IntegrityError, transaction

from tests.support.commands import Run, xueka
from tests.unit.production.conftest import (
    DISTRICT,
    ENCRYPTION,
    FIRST,
    KIND,
    SECOND,
    Line,
    fresh,
    the_package,
)
from xueka.contexts.cards import api as cards
from xueka.contexts.keys import api as keys
from xueka.contexts.keys.adapters.software_store import SoftwareStore
from xueka.contexts.production import api as production
from xueka.contexts.production import jobs
from xueka.contexts.production.domain.bureau import card_keys as rules
from xueka.contexts.production.models import KeyDelivery, Package
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.platform.audit.models import Entry
from xueka.platform.crypto import card_ciphers
from xueka.platform.files import services as files
from xueka.platform.identity.actor import Actor

__all__ = ["xueka"]

INTERNAL, SM4_INTERNAL = "education.adf.internal", "education_sm4.adf.internal"
ABOVE = "1100000020260901"
MASTERS = [
    {"label": INTERNAL, "factor": "card_number"},
    {"label": SM4_INTERNAL, "factor": "transit_number", "above": [ABOVE]},
]
FILE = {"way": "file", "transport": "SM2", "masters": MASTERS}


@pytest.fixture(autouse=True)
def master_keys(db: None) -> None:
    keys.make_demo_keys()


def agreed(plan: dict[str, Any]) -> None:
    entered = production.enter_delivery(FIRST, KIND, plan)
    production.confirm_delivery(SECOND, KIND, entered.digest[:8])


def manifest(package: Package) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(files.read(package.file))) as archive:
        return json.loads(archive.read("manifest.json"))


def member(package: Package, name: str) -> bytes:
    """A member in clear, as the bureau's key opens it."""
    said = manifest(package)
    key = ENCRYPTION.decrypt(base64.b64decode(said["content_key"]["ciphertext"]))
    [found] = [each for each in said["members"] if each["name"] == name]
    with zipfile.ZipFile(io.BytesIO(files.read(package.file))) as archive:
        sealed = archive.read(name)
    nonce = bytes.fromhex(found["nonce"])
    box = Cipher(algorithms.SM4(key), modes.GCM(nonce, sealed[-16:])).decryptor()
    return box.update(sealed[:-16]) + box.finalize()


def test_without_an_agreement_a_package_is_of_version_1_0(made_line: Line) -> None:
    said = manifest(the_package(made_line.ready(2)))
    assert (said["version"], said["keys"]) == ("1.0", None)
    assert not keys.uses(Actor.system("x").scope).exclude(usage="derive").exists()


def test_keys_in_the_file(made_line: Line) -> None:
    agreed(FILE)
    batch = made_line.ready(3)
    package = the_package(batch)
    said = manifest(package)
    assert (said["version"], said["keys"]["way"]) == ("1.1", "file")
    assert [each["name"] for each in said["members"]] == ["records.sm4", "keys.sm4"]
    assert member(package, "records.sm4").startswith(b"H|XKREC|1.1|")
    value = ENCRYPTION.decrypt(base64.b64decode(said["keys"]["transport"]["text"]))
    head, *lines, trailer, end = member(package, "keys.sm4").decode().split("\r\n")
    assert (head, end) == (f"H|XKKEY|1.1|{batch.number}|3|2", "")
    system = Actor.system("test")
    for item, text in zip(batch.items.select_related("card").order_by("position"), lines, strict=True):
        assert item.card is not None
        fields = text.split("|")
        assert fields[:3] == ["K", str(item.position), item.card.number]
        numbers = [(INTERNAL, [item.card.number]), (SM4_INTERNAL, [ABOVE, item.card.transit_number])]
        for place, (label, levels) in enumerate(numbers):
            factors = [keys.factor_from_digits(level) for level in levels]
            [card] = keys.card_keys(system, [(label, None)], factors, purpose="x", subject="y")
            sealed, kcv = fields[3 + 2 * place : 5 + 2 * place]
            assert card_ciphers.decrypt("sm4", value, bytes.fromhex(sealed)) == card.plain_write_body(b"")
            assert kcv == card.kcv
    assert trailer.split("|") == ["T", "3", *(each["control"] for each in said["keys"]["masters"])]
    uses = keys.uses(system.scope).filter(subject=batch.number)
    assert {(use.version.key.label, use.cards, use.actor) for use in uses} == {
        (INTERNAL, 3, "system:worker"),
        (SM4_INTERNAL, 3, "system:worker"),
    }
    entry = Entry.objects.get(action="batch.keys", object_id=batch.number)
    assert entry.detail["masters"] == {INTERNAL: 1, SM4_INTERNAL: 1}


def test_masters_that_the_bureau_has_and_keys_of_its_own(made_line: Line) -> None:
    agreed({"way": "loaded", "masters": [*MASTERS, {"label": "education.mf.control", "factor": "chip_uid"}]})
    said = manifest(the_package(made_line.ready(2)))
    assert said["keys"]["transport"] is None
    assert [each["version"] for each in said["keys"]["masters"]] == [1, 1, 1]
    assert [each["control"] is None for each in said["keys"]["masters"]] == [False, False, True]
    assert [each["name"] for each in said["members"]] == ["records.sm4"]
    agreed({"way": "own", "reference": "EDU-2026"})
    package = the_package(made_line.ready(2))
    assert manifest(package)["keys"] == {
        "way": "own",
        "reference": "EDU-2026",
        "transport": None,
        "masters": [],
    }
    records = member(package, "records.sm4").decode("gb18030").split("\r\n")
    assert [line.rsplit("|", 1)[1] for line in records[1:3]] == ["EDU-2026"] * 2
    agreed({"way": "none"})
    assert manifest(the_package(made_line.ready(1)))["version"] == "1.0"


def test_a_wrong_check_value_stops_the_batch_before_anything_is_stored(
    made_line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreed(FILE)
    batch = made_line.approved(3)
    right = SoftwareStore.diversify_wrapped

    def wrong(self: SoftwareStore, *given: Any) -> tuple[bytes, bytes]:
        cryptograms, kcvs = right(self, *given)
        return cryptograms, kcvs[:3] + bytes(3) + kcvs[6:]

    monkeypatch.setattr(SoftwareStore, "diversify_wrapped", wrong)
    jobs.build_packages()
    stopped = fresh(batch)
    assert (stopped.state, Package.objects.count()) == ("approved", 0)
    assert "逐张核对不一致" in stopped.build_error
    assert (
        not keys.uses(Actor.system("x").scope).exclude(usage="derive").exists()
    )  # with the batch its uses are taken back
    monkeypatch.setattr(SoftwareStore, "diversify_wrapped", right)
    jobs.build_packages()
    assert (fresh(batch).state, fresh(batch).build_error) == ("ready", "")


def test_a_master_without_an_active_version_stops_the_batch(made_line: Line) -> None:
    agreed(FILE)
    batch = made_line.approved(1)
    with transaction.atomic():
        custodian = Actor.in_role("k-a", "甲", "key_custodian", FIRST.scope)
        other = Actor.in_role("k-b", "乙", "key_custodian", FIRST.scope)
        asked = keys.ask(custodian, "retire", INTERNAL, "停用", {"version": 1})
        keys.confirm(other, asked.number)
    jobs.build_packages()
    assert "没有使用中的版本" in fresh(batch).build_error
    assert Package.objects.count() == 0


def test_two_people_agree_and_the_second_repeats_what_the_first_entered() -> None:
    with pytest.raises(Forbidden):
        production.enter_delivery(DISTRICT, KIND, FILE)
    entered = production.enter_delivery(FIRST, KIND, FILE)
    found = production.delivery(KIND)
    assert (found.plan.way, found.waiting) == ("none", entered)
    for who, digest, code in (
        (FIRST, entered.digest, "SECOND_PERSON"),
        (SECOND, "0" * 64, "KEY_PLAN_DIFFERS"),
        (SECOND, entered.digest[:7], "KEY_PLAN_DIFFERS"),
    ):
        with pytest.raises(Refused) as refusal:
            production.confirm_delivery(who, KIND, digest)
        assert refusal.value.code == code
    production.confirm_delivery(SECOND, KIND, entered.digest.upper())
    assert production.delivery(KIND).plan.as_dict()["masters"][1]["above"] == [ABOVE]
    with pytest.raises(NotFound):
        production.confirm_delivery(SECOND, KIND, entered.digest)
    again = production.enter_delivery(FIRST, KIND, {"way": "none"})
    assert production.enter_delivery(SECOND, KIND, FILE).id == again.id  # the last word waits
    actions = set(Entry.objects.filter(object_id=KIND).values_list("action", flat=True))
    assert actions >= {"key_delivery.enter", "key_delivery.confirm"}


def test_the_database_holds_the_two_people_and_the_one_in_force() -> None:
    agreed(FILE)
    held = KeyDelivery.objects.get(in_force=True)
    for changes in ({"confirmed_by": held.entered_by}, {"confirmed_by": "", "confirmed_at": None}):
        with pytest.raises(IntegrityError), transaction.atomic():
            KeyDelivery.objects.filter(id=held.id).update(**changes)
    held.id = None
    with pytest.raises(IntegrityError), transaction.atomic():
        held.save()


@pytest.mark.parametrize(
    ("plan", "where"),
    [
        ([], "计划"),
        ({"way": "file", "mode": "x"}, "mode"),
        ({"way": "post"}, "way"),
        ({"way": "none", "masters": MASTERS}, "masters"),
        ({"way": "file", "transport": "SM2"}, "masters"),
        ({"way": "file", "masters": MASTERS}, "transport"),
        ({"way": "file", "transport": "sm 2", "masters": MASTERS}, "transport"),
        ({"way": "loaded", "transport": "SM2", "masters": MASTERS}, "transport"),
        ({"way": "own"}, "reference"),
        ({"way": "own", "reference": "a b"}, "reference"),
        ({**FILE, "reference": "X"}, "reference"),
        ({**FILE, "masters": "all"}, "masters"),
        ({**FILE, "masters": [MASTERS[0]] * 17}, "masters"),
        ({**FILE, "masters": [MASTERS[0], MASTERS[0]]}, "masters"),
        ({**FILE, "masters": ["x"]}, "masters[0]"),
        ({**FILE, "masters": [{"label": "A B", "factor": "card_number"}]}, "masters[0].label"),
        ({**FILE, "masters": [{"label": INTERNAL, "factor": "chip_uid"}]}, "masters[0].factor"),
        ({**FILE, "masters": [{**MASTERS[0], "above": ["12"]}]}, "masters[0].above"),
        ({**FILE, "masters": [{**MASTERS[0], "above": [ABOVE] * 4}]}, "masters[0].above"),
        ({**FILE, "masters": [{"label": INTERNAL, "factor": "blank_uid"}]}, INTERNAL),
    ],
)
def test_a_plan_that_cannot_be_is_refused_with_its_field(plan: Any, where: str) -> None:
    with pytest.raises(BadInput) as refusal:
        production.enter_delivery(FIRST, KIND, plan)
    assert (refusal.value.code, refusal.value.where) == ("KEY_PLAN", where)
    assert not KeyDelivery.objects.exists()


def test_what_a_plan_names_must_exist() -> None:
    for plan, code in (
        ({**FILE, "masters": [{"label": "no.such", "factor": "card_number"}]}, "KEY_NOT_FOUND"),
        ({**FILE, "masters": [{"label": "transit.load", "factor": "card_number"}]}, "KEY_FOREIGN"),
        ({**FILE, "transport": "no.such"}, "KEY_NOT_FOUND"),
    ):
        with pytest.raises((NotFound, Refused)) as refusal:
            production.enter_delivery(FIRST, KIND, plan)
        assert refusal.value.code == code
    with pytest.raises(NotFound):
        production.enter_delivery(FIRST, "no_such_kind", FILE)
    cards.CardKind.objects.filter(code=KIND).update(transit_source="none", beijing_tong_source="none")
    with pytest.raises(BadInput, match="没有芯片"):
        production.enter_delivery(FIRST, KIND, FILE)


def test_a_bound_blank_s_chip_diversifies(made_line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blank's UID is known before, so that its keys may go into the file."""
    batch = made_line.approved(2)
    cards.CardKind.objects.filter(code=KIND).update(transit_source="bind")
    agreed({**FILE, "masters": [{"label": INTERNAL, "factor": "blank_uid"}]})
    placed = batch.items.order_by("position").values_list("card_id", flat=True)
    uids = dict(zip(placed, ("04A1B2C3", "04FFEE01"), strict=True))
    monkeypatch.setattr("xueka.contexts.numbers.api.blank_uids", lambda of: uids)
    jobs.build_packages()
    lines = member(the_package(batch), "keys.sm4").decode().split("\r\n")[1:3]
    for uid, text in zip(uids.values(), lines, strict=True):
        factor = keys.factor_from_digits(uid)
        assert factor.hex().endswith(uid.lower())
        [card] = keys.card_keys(Actor.system("x"), [(INTERNAL, None)], [factor], purpose="x", subject="y")
        assert text.split("|")[4] == card.kcv


def test_a_plan_reads_back_as_it_was_entered() -> None:
    plan = rules.read_plan(FILE)
    assert rules.read_plan(plan.as_dict()) == plan


def test_the_commands(xueka: Run, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(FILE))
    code, answer = xueka("bureau", "card-keys", KIND)
    assert (code, answer["in_force"]["way"], answer["waiting"]) == (0, "none", None)
    code, answer = xueka("bureau", "card-keys", KIND, "--set", str(file))
    assert code == 0
    digest = answer["waiting"]["digest"]
    code, answer = xueka("bureau", "card-keys", KIND, "--confirm", digest)
    assert (code, answer["error"]["code"]) == (1, "PERSON_NEEDED")  # who says `--as` nobody is nobody
    file.write_text("{")
    assert xueka("bureau", "card-keys", KIND, "--set", str(file))[0] == 2
