"""`xueka keys`: what the commands answer, and who may do what on the command line."""

import json
from pathlib import Path

import pytest

from tests.support.commands import Run, xueka
from tests.unit.keys.conftest import SYSTEM
from tests.unit.keys.test_ceremonies import KEK, LOCAL, MASTER, PART, PLAN
from xueka.contexts.keys import api as keys
from xueka.contexts.keys.jobs import rewrap, take_note
from xueka.contexts.keys.services import stores
from xueka.platform.crypto import card_ciphers, fields
from xueka.platform.identity import services as identity

__all__ = ["xueka"]
pytestmark = pytest.mark.django_db(transaction=True)
PEOPLE = (("leader", "key_admin"), ("second", "key_custodian"), ("anne", "key_custodian"),
          ("bert", "key_custodian"), ("carl", "key_custodian"))  # fmt: skip


@pytest.fixture
def people() -> None:
    for name, role in PEOPLE:
        identity.create_user(SYSTEM, name, name.title(), role)


@pytest.fixture(autouse=True)
def fresh(key_stores: Path) -> None:
    for name in ("software", "drill"):
        if local := stores.sealed(name):
            local.lock()
    for folder in ("cards", "cards-drill"):
        for file in (key_stores / folder).glob("*"):
            file.unlink()


def test_rotation_by_two_people(xueka: Run, people: None) -> None:
    code, made = xueka("demo", "keys")
    assert (code, made["ceremony"][:2]) == (0, "YS")
    assert xueka("demo", "keys")[1] == {"ceremony": None}
    code, asked = xueka("keys", "rotate", "education.mf.control", "--as", "anne")
    assert (code, asked["state"], asked["asked_by"]) == (0, "asked", "anne")
    code, refused = xueka("keys", "confirm", asked["number"], "--as", "anne")
    assert (code, refused["error"]["code"]) == (1, "SAME_PERSON")
    for verb in (("confirm",), ("refuse", "--reason", "不用了")):
        code, refused = xueka("keys", verb[0], asked["number"], *verb[1:])
        assert (code, refused["error"]["code"]) == (1, "PERSON_NEEDED"), verb
        assert "--as" in refused["error"]["action"]
    code, done = xueka("keys", "confirm", asked["number"], "--as", "bert")
    assert (code, done["state"], done["result"]["version"]) == (0, "done", 2)
    code, listed = xueka("keys", "list")
    [control] = [each for each in listed["keys"] if each["label"] == "education.mf.control"]
    assert [(each["version"], each["state"]) for each in control["versions"]] == [
        (2, "active"),
        (1, "verify_only"),
    ]
    assert xueka("keys", "changes")[1]["changes"][0]["number"] == asked["number"]


def test_a_wrapping_key_goes_on_by_the_sweep_or_by_command(xueka: Run, people: None) -> None:
    xueka("demo", "keys")
    for round_, go_on in enumerate((rewrap, lambda: xueka("keys", "rewrap"))):
        asked = xueka("keys", "rotate", "kek.transport", "--as", "anne")[1]
        xueka("keys", "confirm", asked["number"], "--as", "bert")
        assert len(keys.rewraps(SYSTEM.scope)) == 1
        go_on()
        assert keys.rewraps(SYSTEM.scope) == []
        assert keys.active("kek.transport").version == round_ + 2
    assert xueka("keys", "verify") == (
        0, {"keys": xueka("keys", "verify")[1]["keys"], "ceremonies": 1, "locked": [], "findings": []},
    )  # fmt: skip


def test_asking_refusing_and_wrong_usage(xueka: Run, people: None) -> None:
    xueka("demo", "keys")
    given = {
        "title": "图书馆",
        "kind": "external",
        "algorithm": "sm4",
        "usages": "diversify",
        "owner": "图书馆",
    }
    params = [f"--param={name}={value}" for name, value in {**given, "place": "其系统"}.items()]
    asking = ("keys", "ask", "foreign", "library.main", "--reason", "接入", "--as", "leader")
    code, asked = xueka(*asking, *params)
    assert (code, asked["state"]) == (0, "asked")
    assert xueka("keys", "confirm", asked["number"], "--as", "leader")[1]["error"]["code"] == "SAME_PERSON"
    code, refused = xueka("keys", "refuse", asked["number"], "--reason", "先不要", "--as", "bert")
    assert (code, refused["state"]) == (0, "refused")
    assert xueka("keys", "ask", "rotate", "local", "--reason", "x", "--param", "nothing")[0] == 2


def drill(tmp_path: Path, **changes: object) -> str:
    named = [
        {**each, **{name: f"drill.{each[name]}" for name in ("label", "parent") if name in each}}
        for each in (LOCAL, KEK, MASTER)
    ]
    file = tmp_path / "drill.json"
    file.write_text(json.dumps({**PLAN, "drill": True, "keys": named, **changes}))
    return str(file)


def answers(tmp_path: Path) -> str:
    label = "component drill.education.mf.control"
    right = [[part.hex(), card_ciphers.kcv("3des", part)] for part in PART]
    given = {
        "anne": {"code": ["1"], label: [["mistyped", "000000"], right[0]]},
        "bert": {"code": ["1"], label: [right[1]]},
        **{name: {"code": ["1"]} for name in ("leader", "second", "carl")},
    }
    file = tmp_path / "answers.json"
    file.write_text(json.dumps(given))
    return f"--answers={file}"


def test_a_drill_is_held_from_a_file_of_answers(xueka: Run, people: None, tmp_path: Path) -> None:
    file = drill(tmp_path)
    code, checked = xueka("keys", "ceremony", file, "--check")
    assert (code, checked["keys"][0]) == (0, "drill.local")
    assert not keys.ceremonies(SYSTEM.scope).exists()
    code, held = xueka("keys", "ceremony", file, answers(tmp_path))
    assert code == 0, held
    assert {line["step"] for line in held["transcript"]} >= {"key", "share", "present"}
    assert keys.active("drill.education.mf.control").kcv == MASTER["kcv"]
    assert xueka("keys", "verify")[0] == 0
    assert xueka("keys", "close", "--drill")[1] == {"open": False}
    assert xueka("keys", "verify")[1]["locked"] == ["drill"]
    share = tmp_path / "share"
    share.write_text("no words of a share")
    code, refused = xueka("keys", "open", "--drill", f"--share={share}")
    assert (code, refused["error"]["code"]) == (1, "KEY_STORE_SHARES")


def test_a_live_ceremony_takes_no_answers_and_needs_a_terminal(
    xueka: Run, people: None, tmp_path: Path
) -> None:
    live = tmp_path / "live.json"
    live.write_text(json.dumps(PLAN))
    code, refused = xueka("keys", "ceremony", str(live), answers(tmp_path))
    assert (code, refused["error"]["code"]) == (1, "CEREMONY_ANSWERS")
    code, refused = xueka("keys", "ceremony", str(live))
    assert (code, refused["error"]["code"]) == (1, "CEREMONY_TERMINAL")
    assert xueka("keys", "ceremony", str(tmp_path / "none"))[0] == 2
    broken = tmp_path / "broken.json"
    broken.write_text("{}")
    assert xueka("keys", "ceremony", str(broken))[1]["error"]["code"] == "CEREMONY_FILE"


def test_keys_of_the_platform_are_put_on_record(xueka: Run) -> None:
    fields.seal({})  # made at their first use
    take_note()
    found = {key.label: key for key in keys.keys(SYSTEM.scope)}
    assert {"platform.fields", "platform.index"} <= set(found)
    [version] = found["platform.fields"].versions.all()
    assert (version.state, version.origin, version.store, version.asked_by) == (
        "active",
        "found",
        "files",
        "",
    )
    take_note()
    assert keys.key(SYSTEM.scope, "platform.fields").versions.count() == 1
    assert xueka("keys", "verify")[1]["findings"] == []
    code, refused = xueka("keys", "rotate", "platform.index")
    assert (code, refused["error"]["code"]) == (1, "KEY_OF_FILES")
