"""SF's own label for an account that has one; ours, with a word, whenever SF gives none."""

import io
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pypdf
import pytest
from django.conf import LazySettings

from tests.support.couriers import Desk, couriers_beside
from tests.unit.common.test_probes import client_of
from tests.unit.couriers.conftest import COUNTER, OPERATOR, ordered, ready_to_post, state
from tests.unit.couriers.test_home import refused
from tests.unit.couriers.test_school import packed, sent
from tests.unit.replacements.conftest import Families
from xueka.contexts.couriers import api as couriers
from xueka.contexts.couriers.adapters import sf
from xueka.contexts.couriers.ports import CourierRefused, CourierUnavailable, Piece
from xueka.contexts.couriers.services import following
from xueka.kernel import clock
from xueka.platform import outward
from xueka.platform.audit.models import Entry
from xueka.platform.files.models import StoredFile
from xueka.platform.identity import services

pytestmark = pytest.mark.django_db(transaction=True)
OURS, SFS = "收件", "SF EXPRESS"


@pytest.fixture
def desk(family: Families, tmp_path: Path, settings: LazySettings) -> Iterator[Desk]:
    """SF prints in its cloud for this account."""
    with couriers_beside(tmp_path / "couriers", settings, family.time, "--labels") as made:
        yield made


def words(content: bytes) -> str:
    return "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages)


def printed(shipment: couriers.Shipment, actor: Any = COUNTER) -> str:
    text = words(couriers.labels(actor, shipment.id))
    shipment.refresh_from_db()
    return text


def test_sfs_label_is_fetched_once_kept_sealed_and_forgotten(family: Families, desk: Desk) -> None:
    made, _ = ready_to_post(family)
    shipment = ordered(made)
    first = printed(shipment)
    assert SFS in first and shipment.waybills.get().number in first and OURS not in first
    kept = shipment.label
    assert (
        kept is not None and kept.sealed and b"%PDF" not in bytes(StoredFile.objects.get(id=kept.id).content)
    )
    desk.house.stop()
    assert printed(shipment) == first, "printed again it is the same, and nobody is asked"
    assert Entry.objects.filter(action="shipment.label").count() == 2
    shipment.state, shipment.ended_at = "cancelled", clock.now() - timedelta(days=29)
    shipment.save()
    assert following.forget() == 0 and StoredFile.objects.filter(id=kept.id).exists()
    shipment.ended_at = clock.now() - timedelta(days=31)
    shipment.save()
    following.forget()
    shipment.refresh_from_db()
    assert shipment.label is None and not StoredFile.objects.filter(id=kept.id).exists()
    refused("ADDRESS_FORGOTTEN", couriers.labels, COUNTER, shipment.id)


def test_a_mother_and_her_child_are_one_file_and_name_their_boxes(family: Families, desk: Desk) -> None:
    shipment = sent(desk, packed(family.city))
    text = printed(shipment, OPERATOR)
    for waybill in shipment.waybills.select_related("box"):
        assert waybill.box is not None
        assert waybill.number in text and waybill.box.number in text, text


@pytest.mark.parametrize(
    "fault", ["label_refused", "label_broken", "label_elsewhere", "errors", "limited", "drop"]
)
def test_whenever_sf_gives_none_ours_says_so(family: Families, desk: Desk, fault: str) -> None:
    made, _ = ready_to_post(family)
    shipment = ordered(made)
    desk.turn(**{fault: 1})
    text = printed(shipment)
    assert OURS in text and "没有给出面单" in "".join(text.split()), text
    assert shipment.label is None and shipment.label_said
    user, _ = services.create_user(family.city.system, "anning", "安宁", "city_operator")
    user.must_change_password = False
    user.save()
    page = client_of("anning").get(f"/city/parcels/{shipment.number}/").content.decode()
    assert "面单由本系统打印" in page and shipment.label_said in page
    desk.turn(**{fault: 0})
    assert SFS in printed(shipment), "the next time it is asked again"
    assert (shipment.label_said, state(shipment)) == ("", "ordered")


def test_without_a_template_ours_is_the_label(family: Families, desk: Desk, settings: LazySettings) -> None:
    partner = json.loads(settings.COURIER_PARTNER.read_text("utf-8"))
    del partner["sf"]["label_template"]
    settings.COURIER_PARTNER.write_text(json.dumps(partner), "utf-8")
    made, _ = ready_to_post(family)
    shipment = ordered(made)
    text = printed(shipment)
    assert OURS in text and "没有给出面单" not in "".join(text.split())
    assert (shipment.label, shipment.label_said) == (None, "")


def test_while_sf_is_silent_nobody_waits_for_paper(family: Families, desk: Desk) -> None:
    made, _ = ready_to_post(family)
    shipment = ordered(made)
    desk.house.stop()
    for _ in range(7):  # after some the line is known to be dead
        assert OURS in printed(shipment)
    assert shipment.label_said.startswith("顺丰没有回应")


ANSWERS = [
    ("https://sf.example/a.pdf", True),
    ("https://SF.example:443/a.pdf", True),
    ("http://127.0.0.1:81/a.pdf", True),
    ("http://sf.example/a.pdf", False),
    ("https://sf.example:8443/a.pdf", False),
    ("https://sf.example.evil.test/a.pdf", False),
    ("https://user@sf.example/a.pdf", False),
    ("https://evil.test/sf.example", False),
    ("http://127.0.0.1:82/a.pdf", False),
    ("http://127.0.0.1/a.pdf", False),
    ("http://169.254.169.254/latest", False),
    ("file:///etc/passwd", False),
    ("", False),
    ("https://[", False),
]


@pytest.mark.parametrize(("address", "allowed"), ANSWERS)
def test_a_file_is_fetched_where_the_account_keeps_its_files(
    monkeypatch: pytest.MonkeyPatch, address: str, allowed: bool
) -> None:
    fetched = []

    def request(method: str, address: str, seconds: float, **what: Any) -> httpx.Response:
        fetched.append((method, address, what["headers"], what["most"]))
        return httpx.Response(200, content=b"%PDF-1.7\n%%EOF\n")

    monkeypatch.setattr(outward, "request", request)
    adapter = _answering(monkeypatch, {"url": address, "token": "T", "waybillNo": "SF1"})
    if allowed:
        assert adapter.label([Piece("SF1")]) == b"%PDF-1.7\n%%EOF\n"
        assert fetched == [("GET", address, {"X-Auth-token": "T"}, 5 * 1024 * 1024)]
    else:
        with pytest.raises(CourierUnavailable):
            adapter.label([Piece("SF1")])
        assert fetched == []


@pytest.mark.parametrize(
    "file",
    [
        httpx.Response(302, headers={"Location": "https://sf.example/b.pdf"}, content=b"%PDF-1.7 %%EOF"),
        httpx.Response(401, content=b"%PDF-1.7 %%EOF"),
        httpx.Response(200, content=b"%PDF-1.7 cut"),
        httpx.Response(200, content=b"<html>%PDF- %%EOF"),
        httpx.Response(200),
    ],
)
def test_what_is_no_whole_pdf_is_no_label(monkeypatch: pytest.MonkeyPatch, file: httpx.Response) -> None:
    monkeypatch.setattr(outward, "request", lambda *_, **__: file)
    adapter = _answering(monkeypatch, {"url": "https://sf.example/a", "token": "T", "waybillNo": "SF1"})
    with pytest.raises(CourierUnavailable):
        adapter.label([Piece("SF1")])


def test_files_of_others_too_many_and_broken_tokens_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def request(*_: Any, **__: Any) -> httpx.Response:
        raise AssertionError("fetched")

    monkeypatch.setattr(outward, "request", request)
    right = {"url": "https://sf.example/a", "token": "T", "waybillNo": "SF1"}
    for files in (
        [],
        [right, right],
        [{**right, "waybillNo": "SF2"}],
        [{**right, "token": "a\r\nHost: b"}],
        [3],
    ):
        with pytest.raises(CourierUnavailable):
            _answering(monkeypatch, *files).label([Piece("SF1")])
    with pytest.raises(CourierRefused):
        _answering(monkeypatch, right).label([Piece(f"SF{number}") for number in range(21)])


def _answering(monkeypatch: pytest.MonkeyPatch, *files: Any) -> sf.Sf:
    result = {"success": True, "errorCode": None, "obj": {"files": list(files)}}
    answer = {"apiResultCode": "A1000", "apiResultData": json.dumps(result)}
    monkeypatch.setattr(outward, "post", lambda *_: httpx.Response(200, json=answer))
    account = {
        "gateway": "https://sf.example/std",
        "partner_id": "P",
        "checkword": "C",
        "label_template": "t",
    }
    return sf.Sf({**account, "label_hosts": ["sf.example", "127.0.0.1:81"]})
