"""Scripts of partners: with new cards and on cards in the field, once each."""

import pytest
from django.db import transaction

from tests.support.blanks import SYSTEM
from tests.support.finishing import finish
from tests.unit.personalization.conftest import FIRST, READER, SECOND, Counter, Plastic
from xueka.contexts.cards import api as cards
from xueka.contexts.personalization import api as personalization
from xueka.contexts.personalization.models import ReaderState, Session, Upgrade
from xueka.kernel.errors import Refused

SELECT = "00a4040008a000000632010105"


def script_text(stage: str, *, version: str = "1", last: str = "80e000072800100ff0f0ffff") -> str:
    """Select the transit shell, make a file in it."""
    last = "80e00007072800080ff0ffff" if last.startswith("80e000072800100") else last
    return f"""
script = "transit"
version = "{version}"
title = "公交应用"
application = "transit"
stage = "{stage}"
kinds = ["bjt_student"]
starts_on = "2026-09-01"
source = "一卡通公司"
[[command]]
apdu = "{SELECT}"
[[command]]
apdu = "{last}"
"""


def in_force(text: str) -> personalization.CardScript:
    with transaction.atomic():
        made = personalization.load_script(FIRST, text.encode())
        personalization.submit(FIRST, personalization.SCRIPTS, made.pk)
        personalization.approve(SECOND, personalization.SCRIPTS, made.pk)
        personalization.put_in_force(FIRST, personalization.SCRIPTS, made.pk)
    return made


CREATE = "80e00007072800080ff0ffff"[:10] + "280008f0f0ffff"
BAD = "80e00007"


def active_card(counter: Counter) -> tuple[int, Plastic]:
    session = counter.open()
    plastic = counter.blank()
    assert counter.lay_down(plastic) == "verified"
    session.refresh_from_db()
    with transaction.atomic():
        finish(SYSTEM, session.card_id)
        cards.give(SYSTEM, session.card_id, "guardian", agreed=True)
    counter.poll("empty")
    return session.card_id, plastic


def test_a_script_runs_with_every_new_card_as_it_came(counter: Counter) -> None:
    made = in_force(script_text("personalise", last=CREATE))
    session = counter.open()
    plastic = counter.blank()
    assert counter.lay_down(plastic) == "verified"
    assert [apdu for apdu in plastic.sent if apdu in (SELECT, CREATE)] == [SELECT, CREATE]
    session.refresh_from_db()
    assert session.scripts == [made.pk]
    assert counter.reports + 1 <= 6


def test_a_script_that_the_card_refuses_makes_it_void(counter: Counter) -> None:
    in_force(script_text("personalise", last="80e00007072a00000ff0ffff"[:10] + "280000f0f0ffff"))
    session = counter.open()
    assert counter.lay_down(counter.blank()) == "void"
    session.refresh_from_db()
    assert "脚本" in session.message


def test_a_card_in_the_field_is_upgraded_once_when_it_meets_a_reader(counter: Counter) -> None:
    card_id, plastic = active_card(counter)
    assert counter.poll() is None  # nothing waits, nobody looks at it
    counter.poll("empty")
    in_force(script_text("field", last=CREATE))
    assert counter.lay_down(plastic) == "verified"
    assert Upgrade.objects.get(card_id=card_id).state == "done"
    assert counter.poll() is None, "looked at once per card laid down"
    counter.poll("empty")
    assert counter.lay_down(plastic) == "failed"
    assert Session.objects.filter(purpose="upgrade").order_by("-pk").first().code == "NOTHING_TO_DO"  # type: ignore[union-attr]
    assert [apdu for apdu in plastic.sent if apdu in (SELECT, CREATE)] == [SELECT, CREATE]
    assert ReaderState.objects.get(name=READER).met


def test_an_interrupted_upgrade_is_not_repeated(counter: Counter) -> None:
    card_id, plastic = active_card(counter)
    in_force(script_text("field", last=CREATE))
    assert counter.lay_down(plastic, (2, "after")) == "failed"
    found = Upgrade.objects.get(card_id=card_id)
    assert found.state == "failed" and "对方核查" in found.session.message
    sent = list(plastic.sent)
    counter.poll("empty")
    assert counter.lay_down(plastic) == "failed"
    assert plastic.sent[len(sent) :] == ["ffca000000"], "it is identified and left alone"
    assert Upgrade.objects.filter(card_id=card_id).count() == 1
    assert cards.card(SYSTEM.scope, card_id).state == "active"


def test_a_stranger_is_left_alone(counter: Counter) -> None:
    in_force(script_text("field", last=CREATE))
    plastic = counter.blank()
    assert counter.lay_down(plastic) == "failed"
    assert plastic.sent == ["ffca000000"]


def test_a_script_is_kept_byte_for_byte_and_its_defects_are_named(db: None) -> None:
    made = personalization.load_script(FIRST, script_text("field").encode())
    assert made.text == script_text("field")
    with pytest.raises(Refused):
        personalization.load_script(FIRST, (script_text("field") + " ").encode())
    with pytest.raises(personalization.ProfileRejected) as refused:
        personalization.load_script(FIRST, script_text("field", last=BAD).replace("09-01", "02-30").encode())
    assert {each.column for each in refused.value.problems} == {"starts_on"}
    with pytest.raises(personalization.ProfileRejected) as short:
        personalization.load_script(FIRST, script_text("field", last="80e0").encode())
    assert [each.column for each in short.value.problems] == ["command[2].apdu"]
