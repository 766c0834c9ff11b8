"""A counterpart on the loopback that keeps what it gets and says what it is told to."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from xueka.kernel import clock
from xueka.platform.exchange.counterparts import Counterpart, counterpart
from xueka.platform.exchange.signatures import Keys, secret, verify
from xueka.sandbox.common.http import Answer, Request, Server, json_answer

OURS = "whsec_" + "b3VyIHNlY3JldCBvZiBzb21lIGJ5dGVz"
THEIRS = "whsec_" + "dGhlaXIgc2VjcmV0IG9mIDI0IGJ5dGVz"
CODE = "beijing-tong"


@dataclass
class Other:
    """What the counterpart knows: applied messages by key, every call, files by digest."""

    says: Callable[[dict[str, Any]], Answer | None] = lambda message: None
    calls: list[tuple[str, str]] = field(default_factory=list)
    applied: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    base: str = ""

    def answer(self, request: Request) -> Answer:
        headers = {name.lower(): value for name, value in request.headers.items()}
        verify(headers, request.body, Keys((secret(OURS),)), clock.now().timestamp())
        self.calls.append((request.method, request.path))
        if request.method == "PUT":
            self.files[request.path.rsplit("/", 1)[1]] = request.body
            return Answer(204)
        message = json.loads(request.body)
        said = self.says(message)
        if said is not None:
            return said
        have = self.applied.setdefault(message["key"], [])
        if message["sequence"] > len(have) + 1:
            return json_answer({"code": "SEQUENCE_GAP", "expected": len(have) + 1}, 409)
        if message["sequence"] == len(have) + 1:
            have.append(message)
        return Answer(204)


@pytest.fixture
def other(tmp_path: Path, settings: Any) -> Iterator[Other]:
    made = Other()
    server = Server(0, made.answer)
    server.start()
    made.base = server.base
    settings.EXCHANGE_PARTNERS = tmp_path
    introduce(tmp_path, made.base)
    yield made
    server.stop()


def introduce(folder: Path, base: str, **limits: float) -> None:
    place = folder / CODE
    place.mkdir(exist_ok=True)
    quick = {"per_second": 1000, "at_once": 4, "retry_base": 0, "breaker_base": 0, "max_tries": 4, **limits}
    card = {
        "name": "北京通",
        "base": base,
        "send_secrets": [OURS],
        "receive_secrets": [THEIRS],
        "limits": quick,
    }
    (place / "partner.json").write_text(json.dumps(card), "utf-8")


@pytest.fixture
def partner(other: Other) -> Counterpart:
    return counterpart(CODE)
