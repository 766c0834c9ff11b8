"""`xueka returns …`, `xueka batch …` and `xueka bureau …` as people script against them."""

import json
from pathlib import Path

import pytest

from tests.support.commands import Run, xueka
from tests.unit.production.conftest import (
    ENCRYPTION,
    HOST_KEY,
    OTHER,
    SIGNING,
    Line,
    fresh,
    items,
    line,
    outcomes,
    signed_return,
)
from xueka.contexts.production import api as production
from xueka.contexts.production import jobs
from xueka.platform.identity import services as identity
from xueka.platform.identity.actor import Actor

__all__ = ["xueka"]


@pytest.fixture
def people(db: None) -> None:
    for username, name in (("first", "甲"), ("second", "乙")):
        identity.create_user(Actor.system("test"), username, name, "city_operator")


def test_importing_a_return(made_line: Line, xueka: Run, tmp_path: Path) -> None:
    batch = made_line.acknowledged(2)
    file = tmp_path / f"XKR_{batch.number}_1.zip"
    file.write_bytes(signed_return(batch, [line(item) for item in items(batch)]))
    words = ("returns", "import", str(file), "--batch", batch.number)
    numbers = {
        "lines": 2,
        "matched": 2,
        "failed": 0,
        "missing": 0,
        "duplicate": 0,
        "unknown": 0,
        "altered": 0,
    }
    for more, state, applied in (("--dry-run", "dry_run", 0), ("", "applied", 2), ("", "repeated", 0)):
        code, answer = xueka(*words, *filter(None, [more]))
        assert (code, answer.pop("return_number")) == (0, 1)
        assert answer == {**numbers, "applied": applied, "errors": [], "state": state}


def test_findings_and_refusals_end_with_one(made_line: Line, xueka: Run, tmp_path: Path) -> None:
    batch = made_line.acknowledged(2)
    file = tmp_path / "return.zip"
    words = ("returns", "import", str(file), "--batch", batch.number)
    file.write_bytes(signed_return(batch, [line(items(batch)[0])], key=OTHER))
    code, answer = xueka(*words)
    assert (code, answer["state"], answer["applied"]) == (1, "refused", 0)
    assert answer["errors"][0].keys() >= {"line", "column", "code", "message"}
    assert outcomes(batch) == ["pending", "pending"]
    file.write_bytes(signed_return(batch, [line(items(batch)[0])]))
    code, answer = xueka(*words)
    assert (code, answer["matched"], answer["missing"]) == (1, 1, 1)
    assert answer["errors"][0]["code"] == "CARD_MISSING"
    code, answer = xueka("returns", "import", str(file), "--batch", "B00-00000")
    assert (code, answer["error"]["code"]) == (1, "BATCH_NOT_FOUND")
    code, answer = xueka("returns", "import", str(tmp_path / "absent"), "--batch", batch.number)
    assert (code, answer["error"]["code"]) == (2, "FILE_UNREADABLE")


def test_a_batch_from_lock_to_close(made_line: Line, xueka: Run, people: None) -> None:
    batch = made_line.batch(2)
    assert xueka("batch", "lock", batch.number, "--as", "first")[1]["state"] == "locked"
    for more, refusal in ((("--as", "first"), "SECOND_PERSON"), ((), "PERSON_NEEDED")):
        code, answer = xueka("batch", "approve", batch.number, *more)
        assert (code, answer["error"]["code"]) == (1, refusal)
    assert xueka("batch", "approve", batch.number, "--as", "second")[1]["state"] == "approved"
    jobs.sweep()
    first, second = items(batch)
    made_line.take(batch, [line(first), line(second, result="01")])
    code, answer = xueka("batch", "show", batch.number)
    assert answer["numbers"] == {
        "pending": 0,
        "matched": 1,
        "failed": 1,
        "missing": 0,
        "altered": 0,
        "dropped": 0,
    }
    assert [(package["file"], package["state"]) for package in answer["packages"]] == [
        (f"XKP_{batch.number}_1.zip", "sent")
    ]
    remake = xueka("batch", "followup", batch.number)[1]
    assert (remake["cards"], remake["remake_of"]) == (1, batch.number)
    assert xueka("batch", "close", batch.number)[1]["state"] == "closed"
    listed = xueka("batch", "list", "--state", "closed")[1]["batches"]
    assert [row["number"] for row in listed] == [batch.number]
    assert fresh(batch).locked_by == "first"


@pytest.mark.usefixtures("db")
def test_the_bureau_is_entered_and_confirmed(xueka: Run, tmp_path: Path, people: None) -> None:
    answer = xueka("bureau", "keys", "--to", str(tmp_path / "city"))[1]
    assert (tmp_path / "city" / "city-sign.pub.pem").read_text() == answer["signing_key"]
    assert (tmp_path / "city" / "city-ssh.pub").read_text().startswith("ssh-ed25519 ")
    file = tmp_path / "partner.json"
    entry = {
        "code": "bureau",
        "name": "样例卡厂",
        "host": "127.0.0.1",
        "port": 22,
        "username": "city",
        "host_key": HOST_KEY,
        "signing_key": SIGNING.public.to_pem().decode(),
        "encryption_key": ENCRYPTION.public.to_pem().decode(),
    }
    file.write_text(json.dumps(entry))
    answer = xueka("bureau", "register", str(file), "--as", "first")[1]
    assert (answer["confirmed"], answer["signing_fingerprint"]) == (False, SIGNING.public.fingerprint)
    heard = ("--signing", SIGNING.public.fingerprint, "--encryption", ENCRYPTION.public.fingerprint)
    assert xueka("bureau", "confirm", "bureau", *heard)[1]["error"]["code"] == "PERSON_NEEDED"
    assert xueka("bureau", "confirm", "bureau", *heard, "--as", "first")[0] == 1
    assert xueka("bureau", "confirm", "bureau", *heard, "--as", "second")[1]["confirmed"] is True
    assert production.Partner.objects.get().confirmed_by == "second"
    file.write_text("{}")
    assert xueka("bureau", "register", str(file))[0] == 2
