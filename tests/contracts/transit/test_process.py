"""The examples of docs/interfaces/transit.md, sent to the company's process; its answers have their form."""

import base64
import itertools
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.channels_process import TransitCompany, transit_running
from xueka.contexts.transit.domain import hot, validity
from xueka.sandbox.exchange.signing import sign

PAGE = (Path(__file__).parents[3] / "docs/interfaces/transit.md").read_text("utf-8")
EXAMPLES = [json.loads(each) for each in re.findall(r"```json\n(.*?)\n```", PAGE, re.S)]


def example(*members: str) -> dict[str, Any]:
    """The example of the page with exactly these members."""
    [found] = [each for each in EXAMPLES if set(each) == set(members)]
    return dict(found)


CARD = ("card", "transit_number")
ASKED = example(*CARD, "ask", "name", "id_type", "id_number")
RELEASE = example(*CARD, "ask", "reason")
EXTEND = example(*CARD, "ask", "until", "status")
LISTED = example(*CARD, "listed", "reason", "version")
WHOLE = example("number", "turn", "count", "digest", "entries")
KEY = f"card:{ASKED['card']}"


class Line:
    """Our end of the exchange: numbers, signatures, and what comes back."""

    def __init__(self, company: TransitCompany) -> None:
        self.company = company
        self._numbers: dict[str, int] = {}
        self._seen: set[str] = set()
        self._ids = itertools.count(1000)

    def post(self, path: str, name: str, value: Any) -> httpx.Response:
        raw, stamp = json.dumps(value).encode(), int(time.time())
        secret = self.company.card["send_secrets"][0]
        headers = {"webhook-id": name, "webhook-timestamp": str(stamp)}
        headers["webhook-signature"] = sign(secret, name, stamp, raw)
        return httpx.post(self.company.card["base"] + path, content=raw, headers=headers, trust_env=False)

    def tell(self, kind: str, key: str, data: Any) -> None:
        number = self._numbers[key] = self._numbers.get(key, 0) + 1
        name = f"msg_{next(self._ids)}"
        body = {"id": name, "kind": kind, "key": key, "sequence": number, "data": data}
        assert self.post("/messages", name, body).status_code == 202

    def heard(self, kind: str) -> dict[str, Any]:
        """The next message of this kind, which is then accepted."""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            for each in self.company.get("notices?all=1"):
                message = json.loads(base64.b64decode(each["body"]))
                if message["kind"] == kind and message["id"] not in self._seen:
                    self._seen.add(message["id"])
                    self.company.post(f"notices/{each['id']}", status=200, body="")
                    return dict(message["data"])
            time.sleep(0.05)
        raise AssertionError(f"no {kind}")


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    with transit_running(tmp_path_factory.mktemp("transit")) as company:
        yield Line(company)


def test_the_examples_one_after_the_other(line: Line) -> None:
    question = example(*CARD)
    assert line.post("/look-up/validity", "ask_1", question).json()["code"] == "CARD_UNKNOWN"

    line.tell("binding.asked", KEY, ASKED)
    bound = line.heard("binding.answered")
    assert (bound["ask"], bound["accepted"]) == (1, True)
    told = line.heard("validity.changed")
    assert set(told) == set(example(*CARD, "fare", "valid_until", "as_of"))
    assert validity.read(told).card == ASKED["card"]
    assert validity.read(line.post("/look-up/validity", "ask_2", question).json()).fare == "student"

    line.tell("extension.asked", KEY, EXTEND)
    granted = line.heard("extension.answered")
    assert set(granted) == set(example(*CARD, "ask", "granted", "valid_until", "as_of"))
    assert (granted["ask"], granted["valid_until"]) == (EXTEND["ask"], EXTEND["until"])

    line.tell("hotlist.changed", KEY, LISTED)
    assert set(line.heard("hotlist.confirmed")) == set(example(*CARD, "version", "in_force_at"))
    line.tell("binding.release", KEY, RELEASE)
    assert line.heard("binding.released")["ask"] == RELEASE["ask"]
    line.tell("hotlist.whole", f"hot_list:{WHOLE['number']}", WHOLE)
    counted = line.heard("hotlist.received")
    assert (counted["count"], counted["digest"]) == (1, hot.digest_of(WHOLE["entries"]))

    line.tell(
        "range.asked", "range:HD26-00001", {"number": "HD26-00001", "turn": 1, "count": 5000, "reason": "新"}
    )
    page = example("number", "turn", "accepted", "note", "prefix", "width", "first", "last", "document")
    assert line.heard("range.granted") == page


def test_a_refused_binding_and_drifted_validity(line: Line) -> None:
    line.company.dial(unbound=1, drift=1)
    other = ASKED | {"card": "260000000026", "transit_number": "1000750000000002"}
    line.tell("binding.asked", "card:260000000026", other)
    refused = line.heard("binding.answered")
    page = example(*CARD, "ask", "accepted", "code", "reason")
    assert set(refused) == set(page) and refused["code"] == page["code"]
    line.company.fare("260000000026", "1000750000000002", "2027-08-31", tell=False)
    answer = line.post(
        "/look-up/validity", "ask_3", {"card": other["card"], "transit_number": other["transit_number"]}
    )
    assert "valid_until" not in answer.json()


def test_a_wrong_signature_is_refused(line: Line) -> None:
    answer = httpx.post(line.company.card["base"] + "/look-up/validity", content=b"{}", trust_env=False)
    assert answer.status_code == 401
