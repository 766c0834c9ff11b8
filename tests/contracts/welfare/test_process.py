"""The examples of docs/interfaces/welfare.md, sent to the platform's process; its words have their form."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contracts.transit.test_process import Line
from tests.support.channels_process import exchange_running
from xueka.contexts.welfare.domain import entitlements, holders

PAGE = (Path(__file__).parents[3] / "docs/interfaces/welfare.md").read_text("utf-8")
ENTITLEMENT, HOLDER, KIND = (json.loads(each) for each in re.findall(r"```json\n(.*?)\n```", PAGE, re.S))
KEY = f"card:{HOLDER['card']}"


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    given = ("--code", "welfare", "--datasets", "entitled-cards,entitlements")
    with exchange_running(tmp_path_factory.mktemp("welfare"), 1, *given) as platform:
        yield Line(platform)


def records(line: Line, dataset: str) -> dict[str, str]:
    asked = {"prefixes": [""], "records": True}
    told = line.post(f"/reconcile/{dataset}", f"ask_{dataset}", asked).json()["records"]
    return {each["key"]: each["text"] for each in told}


def said(line: Line, version: int, **change: Any) -> entitlements.Word:
    """What the platform says of one kind to this word about the card."""
    line.tell("holder.changed", KEY, HOLDER | {"version": version} | change)
    words = [entitlements.read(line.heard("entitlement.changed")) for _ in line.company.get("entitlements")]
    return next(each for each in words if each.kind == "transit")


def test_a_life_of_one_card(line: Line) -> None:
    first = said(line, 1)
    assert (first.card, first.state, first.version) == (HOLDER["card"], "active", 1)
    assert first.valid_until is not None and (first.valid_until.month, first.valid_until.day) == (8, 31)
    assert set(line.heard("kind.named")) == set(KIND)
    both = (HOLDER["card"], HOLDER["beijing_tong_number"])
    assert records(line, "entitled-cards")[HOLDER["card"]] == holders.record_of(*both, "active", "enrolled")
    lost = said(line, 2, state="lost")
    assert lost.state == "suspended" and lost.reason
    assert said(line, 3).state == "active"
    assert said(line, 4, holder="left").state == "ended"
    assert said(line, 5).state == "active"
    dead = said(line, 6, state="cancelled")
    assert (dead.state, dead.version) == ("ended", 6)
    text = entitlements.record_of(
        dead.card, dead.kind, dead.state, dead.valid_from, dead.valid_until, dead.version
    )
    assert records(line, "entitlements")[entitlements.key_of(dead.card, dead.kind)] == text


def test_a_card_that_replaces_another_gets_what_that_had(line: Line) -> None:
    put = {"card": "110000000001", "beijing_tong_number": "BJT1", "valid_until": "2030-08-31"}
    line.company.put("entitlement", **put, kind="park")
    assert line.heard("entitlement.changed")["kind"] == "park"
    new = HOLDER | {"card": "110000000002", "replaces": "110000000001"}
    line.tell("holder.changed", "card:110000000002", new)
    assert line.heard("entitlement.changed")["kind"] == "park"


def test_the_example_of_the_page_can_be_read() -> None:
    word = entitlements.read(ENTITLEMENT)
    assert (word.kind, word.state, word.reason) == ("museum", "suspended", "卡已挂失")


def test_a_wrong_signature_is_refused(line: Line) -> None:
    answer = httpx.post(line.company.card["base"] + "/reconcile/entitlements", content=b"{}", trust_env=False)
    assert answer.status_code == 401
