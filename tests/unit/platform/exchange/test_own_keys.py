"""Our own SM2 key: handed out, changed with both in use, known to key management, kept as evidence."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.unit.platform.exchange.conftest import CODE, THEIRS, Other
from xueka.contexts.keys import api as keys
from xueka.contexts.keys.models import FILES, KeyVersion
from xueka.contexts.keys.services import platform_keys
from xueka.entrypoints.cli import common, interop_commands
from xueka.kernel.errors import BadInput, Conflict, Forbidden, Refused
from xueka.platform.audit.models import Entry
from xueka.platform.crypto.sm2 import PublicKey
from xueka.platform.database import home
from xueka.platform.exchange import own_keys
from xueka.platform.exchange.counterparts import counterpart
from xueka.platform.exchange.signatures import Keys, sign, verify
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE

pytestmark = pytest.mark.django_db
OPERATOR = Actor.system("test")
NOBODY = Actor("nobody", "", "", EVERYWHERE)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XUEKA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(common, "database", contextlib.nullcontext)


def file() -> Path:
    return home.keys_directory() / "exchange" / f"{CODE}.key"


def taken_by(public: PublicKey, keys: Keys) -> bool:
    given = {"webhook-id": "msg_1", "webhook-timestamp": "1000"}
    given["webhook-signature"] = sign("msg_1", 1000, b"{}", keys)
    try:
        return verify(given, b"{}", Keys(public=(public,)), 1000) == "msg_1"
    except Refused:
        return False


def introduce(other: Other, folder: Path) -> None:
    card = {"name": "北京通", "base": other.base, "sign": ["v1sm2"], "receive_secrets": [THEIRS]}
    (folder / CODE / "partner.json").write_text(json.dumps(card), "utf-8")


def test_a_change_with_both_in_use(other: Other, tmp_path: Path) -> None:
    introduce(other, tmp_path)
    sending = counterpart(CODE).sending
    [old] = own_keys.signing(CODE)
    assert taken_by(old.public, sending) and (file().stat().st_mode & 0o777) == 0o600
    assert b"PRIVATE" not in file().read_bytes()

    new, still = own_keys.make_next(OPERATOR, CODE)
    assert (new.number, still.public) == (2, old.public) and new.since >= old.since
    both = counterpart(CODE).sending
    assert taken_by(old.public, both) and taken_by(new.public, both)
    with pytest.raises(Conflict) as refusal:
        own_keys.make_next(OPERATOR, CODE)
    assert refusal.value.code == "EXCHANGE_KEY_CHANGING"

    assert [each.number for each in own_keys.drop_old(OPERATOR, CODE)] == [2]
    alone = counterpart(CODE).sending
    assert taken_by(new.public, alone) and not taken_by(old.public, alone)
    with pytest.raises(Refused) as single:
        own_keys.drop_old(OPERATOR, CODE)
    assert single.value.code == "EXCHANGE_KEY_SINGLE"
    said = Entry.objects.filter(action__startswith="exchange.").order_by("id")
    assert [(each.action, each.detail) for each in said] == [
        ("exchange.new_key", {"version": 2, "fingerprint": new.public.fingerprint}),
        ("exchange.drop_key", {"version": 1, "fingerprint": old.public.fingerprint}),
    ]
    for work in (own_keys.make_next, own_keys.drop_old):
        with pytest.raises(Forbidden):
            work(NOBODY, CODE)


def test_key_management_knows_every_version_also_one_that_signs_no_more() -> None:
    own_keys.signing(CODE)
    assert keys.note_platform_keys(OPERATOR) == 1
    own_keys.make_next(OPERATOR, CODE)
    assert keys.note_platform_keys(OPERATOR) == 1
    own_keys.drop_old(OPERATOR, CODE)
    assert keys.note_platform_keys(OPERATOR) == 0
    held = KeyVersion.objects.filter(store=FILES, key__label="exchange.beijing_tong").order_by("number")
    assert [each.state for each in held] == ["verify_only", "active"]
    assert [platform_keys.kcv(each) for each in held] == [each.kcv for each in held]


def test_no_counterpart_can_hand_on_what_was_signed_for_it(other: Other, tmp_path: Path) -> None:
    introduce(other, tmp_path)
    [theirs] = own_keys.signing(CODE)
    [others] = own_keys.signing("welfare")
    assert taken_by(theirs.public, counterpart(CODE).sending)
    assert not taken_by(others.public, counterpart(CODE).sending)


def test_another_process_has_changed_it_and_a_lost_file_is_not_made_anew() -> None:
    own_keys.signing(CODE)
    [first] = own_keys.signing(CODE)
    before = file().read_bytes()
    own_keys.make_next(OPERATOR, CODE)
    assert len(own_keys.signing(CODE)) == 2
    draft = file().with_name("draft")
    draft.write_bytes(before)
    draft.rename(file())
    assert [each.public for each in own_keys.signing(CODE)] == [first.public]
    file().unlink()
    assert [each.public for each in own_keys.signing(CODE)] == [first.public] and not file().exists()


def test_the_command(other: Other, tmp_path: Path) -> None:
    def run(*words: str) -> Any:
        done = CliRunner().invoke(interop_commands.app, ["key", CODE, *words], catch_exceptions=False)
        assert done.exit_code == 0
        return json.loads(done.stdout) if "--json" in words else done.stdout

    assert "现在不用" in run()
    introduce(other, tmp_path)
    [first] = run("--json")["keys"]
    assert PublicKey.from_pem(first["public_key"].encode()).fingerprint == first["fingerprint"]
    made = run("--new", "--json")
    assert [each["version"] for each in made["keys"]] == [2, 1] and made["used"]
    assert made["keys"][1] == first
    text = run("--drop-old")
    assert (
        "现在不用" not in text and made["keys"][0]["fingerprint"] in text and first["fingerprint"] not in text
    )
    assert made["keys"][0]["public_key"] in text and "PRIVATE" not in text
    with pytest.raises(BadInput):
        run("--new", "--drop-old")
