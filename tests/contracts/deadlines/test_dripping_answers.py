"""A counterpart that answers for ever holds nobody: the whole of an answer has a deadline."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from tests.support.dripping import HEAD, dripping, halved
from xueka.contexts.families import api as families
from xueka.contexts.families.adapters import jingtong
from xueka.contexts.payments.adapters import downloads, finance, wechat_nontax
from xueka.contexts.payments.ports import ChannelUnavailable
from xueka.contexts.registry.oneroster import registry_client
from xueka.contexts.transit.adapters import asking
from xueka.platform.exchange.counterparts import Counterpart
from xueka.platform.exchange.signatures import Keys

BEGINS = [HEAD, b"HTTP/1.1 200 OK\r\nX-Long: "]  # its body drips, or its head


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "WHOLE", 0.5)
    monkeypatch.setattr(registry_client, "WHOLE", 0.5)
    monkeypatch.setattr(jingtong, "_SECONDS", 0.25)
    monkeypatch.setattr(finance, "_SECONDS", 0.25)


@pytest.mark.parametrize("begins", BEGINS)
def test_a_file_of_a_channel(begins: bytes) -> None:
    with dripping(begins) as port, pytest.raises(OSError, match="Timeout"):
        downloads.fetch(f"http://127.0.0.1:{port}/bill")
    with dripping(begins) as port, pytest.raises(ChannelUnavailable) as silent:
        told = {"base": f"http://127.0.0.1:{port}", "appid": "a", "secret": "s", "mch_id": "1"}
        wechat_nontax.statement({"wechat_nontax": told}, date(2026, 9, 1))
    assert silent.value.code == "CHANNEL_SILENT"


@pytest.mark.parametrize("begins", BEGINS)
def test_a_page_of_the_student_registry(begins: bytes) -> None:
    with dripping(begins) as port:
        base = f"http://127.0.0.1:{port}"
        partner = registry_client.Partner("r", base, f"{base}/token", "c", "s", "")
        with (
            registry_client.RegistryClient(partner) as client,
            pytest.raises(registry_client.RegistryUnavailable),
        ):
            client.page("students", 0, 100, "")


@pytest.mark.parametrize("begins", BEGINS)
def test_the_sign_on_of_citizens(begins: bytes, tmp_path: Path, settings: Settings) -> None:
    settings.JINGTONG_PARTNER = tmp_path / "partner.json"
    with dripping(begins) as port:
        issuer = f"http://127.0.0.1:{port}"
        card = {"code": "demo-1", "issuer": issuer, "client_id": "c", "client_secret": "s"}
        settings.JINGTONG_PARTNER.write_text(json.dumps(card), "utf-8")
        with pytest.raises(families.SignOnFailed) as silent:
            families.ask_sign_on("http://127.0.0.1:9/back/")
        assert silent.value.code == "SIGN_ON_SILENT"
        known: Any = {"issuer": issuer, "token_endpoint": f"{issuer}/token"}
        jingtong._known[issuer] = (jingtong.time.monotonic(), known, jingtong.KeySet([]))
        asked = families.Asked("", "state", "nonce", "verifier")
        with pytest.raises(families.SignOnFailed) as no_token:
            families.hear_sign_on(asked, {"state": "state", "code": "1"}, "http://127.0.0.1:9/back/")
        assert no_token.value.code == "SIGN_ON_SILENT"


def test_a_whole_answer_of_the_transit_company_after_the_deadline_is_none() -> None:
    """Each of its reads is in time, and all of it is there before the other end of a patient call."""
    asked = {"card": "1", "transit_number": "2"}
    said = {**asked, "fare": "ordinary", "valid_until": None, "as_of": "2026-09-01T08:30:00+08:00"}
    with halved(json.dumps(said).encode(), 0.75) as port:
        partner = Counterpart("transit", "t", f"http://127.0.0.1:{port}", sending=Keys((b"k" * 24,)))
        assert asking.ask(partner, "1", "2", 30)[0] == "answered"
        assert asking.ask(partner, "1", "2", 1)[0] == "silent"


def test_a_frame_of_the_finance_office() -> None:
    with dripping(b"00009999") as port, pytest.raises(ChannelUnavailable) as silent:
        card = {"host": "127.0.0.1", "port": port, "token": "t" * 32, "des": "d", "src": "s", "division": "1"}
        finance.ask(card, "8997", "5997", {})
    assert silent.value.code == "CHANNEL_SILENT"
