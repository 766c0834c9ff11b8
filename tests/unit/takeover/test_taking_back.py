"""The way back: exact, or with the reason why something stays."""

import os
import signal
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, connections, transaction

from tests.unit.cards.conftest import NOW
from tests.unit.takeover.conftest import ONE, OTHER, WORKER, Programme, start
from tests.unit.takeover.test_loading import held
from xueka.contexts.cards import api as cards
from xueka.contexts.numbers.models import NumberRange, NumberUse
from xueka.contexts.takeover import api as takeover
from xueka.contexts.takeover.jobs import run
from xueka.contexts.takeover.services import loading
from xueka.kernel import clock
from xueka.kernel.errors import Refused

_TABLES = (
    "cards_cardaccount",
    "cards_application",
    "cards_card",
    "numbers_numberrange",
    "numbers_numberuse",
    "numbers_blank",
    "registry_student",
)


def everything() -> dict[str, str]:
    """What the business tables hold, to the last column."""
    found = {}
    with connection.cursor() as cursor:
        for table in _TABLES:
            cursor.execute(f"SELECT md5(string_agg(r::text, '|' ORDER BY r::text)) FROM {table} r")
            found[table] = cursor.fetchone()[0]
    return found


def test_a_load_that_nothing_touched_goes_back_exactly(programme: Programme) -> None:
    programme.city.active(programme.city.students(2))
    before = everything()
    found = programme.loaded()
    assert everything() != before
    assert takeover.preview_back(ONE, found.id).staying == dict.fromkeys(
        ("applications", "cards", "accounts", "numbers", "ranges"), 0
    )
    found = programme.taken_back(found)
    assert found.state == "taken_back"
    assert everything() == before
    assert takeover.stayed(found) == []
    held()


def test_it_can_be_loaded_again_after_that(programme: Programme) -> None:
    found = programme.loaded()
    after = {table: digest for table, digest in everything().items() if table == "numbers_blank"}
    programme.taken_back(found)
    again = programme.loaded()
    assert again.number != found.number
    assert cards.Card.objects.count() == again.counts["cards"]["accepted"]
    assert {table: everything()[table] for table in after} == after
    held()


def test_what_was_touched_stays_with_the_reason(programme: Programme) -> None:
    found = programme.loaded()
    lost, replaced = cards.Card.objects.filter(state="active", kind_id="bjt_student").order_by("id")[:2]
    reviewed = cards.Application.objects.filter(state="district_review").order_by("id").first()
    assert reviewed is not None
    with transaction.atomic():
        cards.report_lost(programme.city.system, lost.id)
        cards.approve(programme.city.system, [reviewed.id])
        programme.city.drafts([replaced.student_id], reason="damaged")
    NumberRange.objects.filter(taken_over=None, sort="transit").update(is_open=False)
    programme.city.active(programme.city.students(1))
    expected = {
        ("applications", "接管后已通过"),
        ("cards", "接管后已挂失"),
        ("cards", "接管后已有申领"),
        ("accounts", "名下有不能收回的卡或申领"),
        ("ranges", "接管后已从这个号段发号"),
    }
    preview = takeover.preview_back(ONE, found.id)
    assert {(part, why) for part, _, why in preview.examples} == expected
    assert preview.staying == {"applications": 1, "cards": 2, "accounts": 3, "numbers": 0, "ranges": 1}
    found = programme.taken_back(found)
    assert len(takeover.stayed(found)) == 7
    assert cards.Card.objects.filter(id__in=[lost.id, replaced.id]).count() == 2
    assert cards.CardAccount.objects.count() == 3 + 1  # and the student who came later
    assert {each.part: each.stayed for each in takeover.progress(found)} == preview.staying
    held()


def test_two_people_and_a_reason(programme: Programme) -> None:
    found = programme.loaded()
    takeover.ask_back(ONE, found.id, "文件有误")
    with pytest.raises(Refused) as refusal:
        takeover.approve_back(ONE, found.id)
    assert refusal.value.code == "SECOND_PERSON"
    found = takeover.refuse_back(OTHER, found.id, "不必")
    assert found.state == "loaded"
    takeover.ask_back(OTHER, found.id, "还是要")
    assert takeover.approve_back(ONE, found.id).state == "taking_back"


def test_only_the_taking_back_may_forget_a_number(programme: Programme) -> None:
    found = programme.loaded()
    for query in (
        NumberUse.objects.filter(taken_over=found.id),
        NumberRange.objects.filter(taken_over=found.id),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            query.delete()
    [card] = programme.city.active(programme.city.students(1))
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('xueka.take_back', %s, true)", [str(found.id)])
        NumberUse.objects.filter(card_id=card).delete()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("after_commit", [False, True])
def test_a_load_killed_at_every_chunk_goes_on(after_commit: bool) -> None:
    with clock.at(NOW):
        programme = start(60)
        extract = programme.extract()
        found = programme.checked(extract)
        with transaction.atomic():
            takeover.approve(OTHER, found.id)
        deaths = 0
        while (state := takeover.TakeOver.objects.get(id=found.id).state) != "loaded":
            assert state == "approved"
            assert deaths < 30
            deaths += _die_in_the_middle(found.id, after_commit)
        assert deaths > 4
        assert cards.Card.objects.count() == len(extract.rows["cards"])
        assert cards.CardAccount.objects.count() == 60
        held()
        run(found.id)
        assert cards.Card.objects.count() == len(extract.rows["cards"]), "nothing is doubled"


def _die_in_the_middle(take_over_id: int, after_commit: bool) -> int:
    """Load in a child process that is killed in its second chunk; 1 if it died, 0 if it was done before."""
    connections.close_all()
    child = os.fork()
    if not child:
        for chunk in range(2):
            with transaction.atomic():
                count = loading.load_chunk(WORKER, take_over_id, 20)
                if count and chunk and not after_commit:
                    os.kill(os.getpid(), signal.SIGKILL)
            if count and chunk:
                os.kill(os.getpid(), signal.SIGKILL)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return int(os.WIFSIGNALED(status))


def test_the_deadline_holds_for_the_approval_too(programme: Programme) -> None:
    found = programme.loaded()
    takeover.ask_back(ONE, found.id, "文件有误")
    assert found.back_until
    with clock.at(found.back_until + timedelta(seconds=1)):
        with pytest.raises(Refused) as refusal:
            takeover.approve_back(OTHER, found.id)
        assert refusal.value.code == "BACK_TOO_LATE"
        assert takeover.refuse_back(OTHER, found.id, "期限已过").state == "loaded"
