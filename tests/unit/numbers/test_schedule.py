"""Blanks to the transit company and back: the schedule, and hand-overs that two people signed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from threading import Barrier

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import DatabaseError

from tests.support.machines import assert_every_pair
from tests.unit.numbers.test_blanks import bring, lot
from xueka.contexts.numbers import api as numbers
from xueka.contexts.numbers.domain.handing_over import FROM_LOT, INTO_LOT
from xueka.contexts.operations.verify import verify
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict, Forbidden, NotFound, Refused
from xueka.platform.audit.models import Entry
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE, Scope

pytestmark = pytest.mark.django_db
CHECKED = {
    "initialisation_state_equals_last_history_row",
    "numbers_hand_overs_add_up_to_their_order",
    "numbers_no_more_of_a_lot_is_out_than_it_has",
}


def slip(quantity: int = 100, rejected: int = 0, **more: str) -> numbers.Slip:
    said = {
        "given_by": "王交",
        "received_by": "李接",
        "document": "交 2026-7",
        "counterparty": "一卡通公司",
        **more,
    }
    return numbers.Slip(quantity, rejected=rejected, **said)


@pytest.fixture
def order(operator: Actor) -> numbers.Initialisation:
    today = clock.today()
    return numbers.plan(operator, "一卡通公司", 500, today, today + timedelta(days=10), document="京卡 12")


def state(number: str) -> str:
    return numbers.order(EVERYWHERE, number).order.state


def test_sent_in_parts_and_back_in_parts(operator: Actor, order: numbers.Initialisation) -> None:
    assert (order.number[:5], state(order.number)) == (f"PC{clock.today():%y}-", "planned")
    for quantity in (300, 200):
        numbers.hand_over(operator, "send", slip(quantity), order=order.number)
    assert state(order.number) == "at_company"
    numbers.hand_over(operator, "receive", slip(450, 10), order=order.number)
    view = numbers.order(EVERYWHERE, order.number)
    assert (view.sent, view.good, view.rejected, view.owed, view.order.state) == (
        500,
        450,
        10,
        40,
        "at_company",
    )
    numbers.hand_over(operator, "receive", slip(40), order=order.number)
    assert state(order.number) == "received"
    assert [each.direction for each in numbers.order(EVERYWHERE, order.number).hand_overs] == [
        "in",
        "in",
        "out",
        "out",
    ]
    assert Entry.objects.filter(action="hand_over.write").count() == 4
    assert sound() == []


@pytest.mark.parametrize(
    ("purpose", "change", "code"),
    [
        ("send", {"given_by": " 李接 "}, "HANDOVER_TWO_PEOPLE"),
        ("send", {"received_by": " "}, "HANDOVER_SIGNATURES"),
        ("send", {"document": ""}, "HANDOVER_SIGNATURES"),
        ("send", {"quantity": 0}, "HANDOVER_QUANTITY"),
        ("send", {"quantity": -5}, "HANDOVER_QUANTITY"),
        ("send", {"rejected": 5}, "HANDOVER_REJECTED"),
        ("send", {"note": "x" * 201}, "HANDOVER_TEXT"),
        ("nothing", {}, "HANDOVER_PURPOSE"),
    ],
)
def test_an_incomplete_slip_is_refused(
    operator: Actor, order: numbers.Initialisation, purpose: str, change: dict, code: str
) -> None:
    with pytest.raises(BadInput) as refused:
        numbers.hand_over(operator, purpose, slip(**change), order=order.number)
    assert refused.value.code == code
    assert not numbers.hand_over_rows(EVERYWHERE).exists()


def test_it_has_to_add_up(operator: Actor, order: numbers.Initialisation) -> None:
    with pytest.raises(Refused) as refused, transaction.atomic():
        numbers.hand_over(operator, "send", slip(501), order=order.number)
    assert refused.value.code == "HANDOVER_OVER_PLAN"
    with pytest.raises(BadInput):
        numbers.hand_over(operator, "send", slip())
    with pytest.raises(NotFound):
        numbers.hand_over(operator, "send", slip(), order="PC26-99999")
    with transaction.atomic():
        numbers.hand_over(operator, "send", slip(300), order=order.number)
    with pytest.raises(Refused) as refused, transaction.atomic():
        numbers.hand_over(operator, "receive", slip(295, 6), order=order.number)
    assert refused.value.code == "HANDOVER_OVER_SENT"
    assert numbers.order(EVERYWHERE, order.number).sent == 300


def test_a_shortage_is_settled_and_late_cards_still_come(
    operator: Actor, order: numbers.Initialisation
) -> None:
    numbers.hand_over(operator, "send", slip(100), order=order.number)
    numbers.hand_over(operator, "receive", slip(95), order=order.number)
    with pytest.raises(BadInput):
        numbers.settle_short(operator, order.number, " ")
    assert numbers.settle_short(operator, order.number, "对方确认遗失 5 张").state == "short"
    assert sound() == []
    numbers.hand_over(operator, "receive", slip(3), order=order.number)
    assert state(order.number) == "short"
    numbers.hand_over(operator, "receive", slip(2), order=order.number)
    assert state(order.number) == "received"


def test_plans_are_moved_and_given_up_before_anything_leaves(
    operator: Actor, order: numbers.Initialisation
) -> None:
    day = order.planned_on + timedelta(days=3)
    with pytest.raises(BadInput):
        numbers.reschedule(operator, order.number, day, day - timedelta(days=1), "对方设备检修")
    moved = numbers.reschedule(operator, order.number, day, day, "对方设备检修")
    assert (moved.planned_on, moved.due_on, moved.state) == (day, day, "planned")
    numbers.hand_over(operator, "send", slip(1), order=order.number)
    for give_up in (
        lambda: numbers.cancel_order(operator, order.number, "不做了"),
        lambda: numbers.reschedule(operator, order.number, day, day, "再改"),
    ):
        with pytest.raises(Refused), transaction.atomic():
            give_up()
    assert numbers.overdue(EVERYWHERE) == 0
    assert numbers.overdue(EVERYWHERE, day + timedelta(days=1)) == 1
    with clock.at(clock.now() + timedelta(days=5)):
        assert numbers.order(EVERYWHERE, order.number).late == 2


def test_bad_plans(operator: Actor) -> None:
    day = date(2026, 9, 1)
    for company, quantity in ((" ", 1), ("一卡通公司", 0)):
        with pytest.raises(BadInput):
            numbers.plan(operator, company, quantity, day, day)
    city = Actor.in_role("a", "a", "auditor", Scope("city"))
    with pytest.raises(Forbidden):
        numbers.plan(city, "一卡通公司", 1, day, day)
    assert not numbers.order_rows(Scope("district", "110101")).exists()
    with pytest.raises(NotFound):
        numbers.hand_over_record(Scope("district", "110101"), "JJ26-00001")


def test_a_wrong_record_is_replaced_and_the_order_follows(
    operator: Actor, order: numbers.Initialisation
) -> None:
    numbers.hand_over(operator, "send", slip(100), order=order.number)
    wrong = numbers.hand_over(operator, "receive", slip(100), order=order.number)
    assert state(order.number) == "received"
    right = numbers.correct_hand_over(operator, wrong.number, slip(10), "多写了一个零")
    assert state(order.number) == "at_company"
    assert numbers.order(EVERYWHERE, order.number).good == 10
    assert (right.replaces, right.order, right.note) == (wrong, order, "多写了一个零")
    with pytest.raises(Conflict):
        numbers.correct_hand_over(operator, wrong.number, slip(20), "再改")
    numbers.correct_hand_over(operator, right.number, slip(0), "其实没有收回")
    sent = numbers.hand_over_rows(EVERYWHERE).get(purpose="send")
    numbers.correct_hand_over(operator, sent.number, slip(0), "其实没有送出")
    assert state(order.number) == "planned"
    assert sound() == []
    with pytest.raises(BadInput):
        numbers.correct_hand_over(operator, sent.number, slip(1), " ")
    with pytest.raises(NotFound):
        numbers.correct_hand_over(operator, "JJ26-99999", slip(1), "x")


def test_blanks_of_a_lot_go_to_the_bureau_and_back(operator: Actor) -> None:
    bring(operator, lot(1, 5))
    numbers.hand_over(operator, "to_bureau", slip(4), lot="L1")
    with pytest.raises(Refused) as refused, transaction.atomic():
        numbers.hand_over(operator, "to_bureau", slip(2), lot="L1")
    assert refused.value.code == "HANDOVER_OVER_STOCK"
    with pytest.raises(Refused) as refused, transaction.atomic():
        numbers.hand_over(operator, "from_bureau", slip(5), lot="L1")
    assert refused.value.code == "HANDOVER_OVER_OUT"
    numbers.hand_over(operator, "from_bureau", slip(2), lot="L1")
    assert numbers.out_of_house(EVERYWHERE, "L1") == 2
    with pytest.raises(BadInput):
        numbers.hand_over(operator, "to_bureau", slip(1))
    assert sound() == []


def test_single_blanks_go_back_by_a_signed_paper(operator: Actor) -> None:
    bring(operator, lot(1, 5))
    made = numbers.return_blanks(operator, "L1", [2, 4], "芯片不读", slip())
    assert (made.quantity, made.contents, made.purpose) == (2, "序号 2、4", "to_supplier")
    assert [blank.state for blank in numbers.blank_rows(EVERYWHERE, "L1").filter(position__in=[2, 4])] == [
        "returned",
        "returned",
    ]
    with pytest.raises(Refused) as refused:
        numbers.correct_hand_over(operator, made.number, slip(1), "少了")
    assert refused.value.code == "HANDOVER_FIXED"
    with pytest.raises(Refused), transaction.atomic():
        numbers.return_blanks(operator, "L1", [2], "再退", slip())


def test_spoiled_by_mistake_comes_back_into_stock(operator: Actor) -> None:
    bring(operator, lot(1, 5))
    numbers.set_aside(operator, "L1", [1, 2], "spoiled", "划痕")
    numbers.set_aside(operator, "L1", [3], "returned", "交还")
    assert numbers.restock(operator, "L1", [2], "扫错了") == 1
    assert numbers.stock(EVERYWHERE)[0].in_stock == 3
    for positions in ([3], [4], []):
        with pytest.raises(Refused):
            numbers.restock(operator, "L1", positions, "扫错了")
    with pytest.raises(BadInput):
        numbers.restock(operator, "L1", [1], "")
    with pytest.raises(NotFound):
        numbers.restock(operator, "L9", [1], "x")


def test_a_scanner_finds_a_blank_by_chip_number_or_place(operator: Actor) -> None:
    bring(operator, lot(7, 9))
    found = [numbers.find_blank(EVERYWHERE, "L1", code) for code in ("00000008", "1000990000000008", " 2 ")]
    assert {blank.position for blank in found if blank} == {2}
    assert numbers.find_blank(EVERYWHERE, "L1", "") is None
    assert numbers.find_blank(Scope("district", "110101"), "L1", "2") is None


def test_every_pair(operator: Actor, order: numbers.Initialisation) -> None:
    def try_event(event: str, source: str, to: str | None) -> str:
        numbers.Initialisation.objects.filter(id=order.id).update(state=source)
        with transaction.atomic():
            apply(numbers.INITIALISATION, numbers.Initialisation, [order.id], event, operator, to=to)
        order.refresh_from_db()
        return order.state

    def still() -> str:
        order.refresh_from_db()
        return order.state

    allowed, refused = assert_every_pair(numbers.INITIALISATION, try_event, still=still)
    assert allowed and refused


def test_a_record_is_never_changed(operator: Actor, order: numbers.Initialisation) -> None:
    numbers.hand_over(operator, "send", slip(100), order=order.number)
    for statement in (
        "UPDATE numbers_handover SET quantity = 1",
        "DELETE FROM numbers_handover",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO numbers_handover (number, purpose, direction, quantity, rejected, counterparty,"
            " given_by, received_by, document, contents, note, at, recorded_by)"
            " VALUES ('JJ', 'receive', 'in', 1, 0, 'x', 'same', 'same', 'd', '', '', now(), 'x')"
        )


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        (
            "initialisation_state_equals_last_history_row",
            "UPDATE numbers_initialisation SET state = 'cancelled'",
        ),
        (
            "numbers_hand_overs_add_up_to_their_order",
            "UPDATE numbers_initialisation SET state = 'received'",
        ),
        (
            "numbers_no_more_of_a_lot_is_out_than_it_has",
            "UPDATE numbers_blanklot SET quantity = 2",
        ),
    ],
)
def test_what_must_hold_is_noticed_when_it_does_not(
    operator: Actor, order: numbers.Initialisation, name: str, wrong: str
) -> None:
    numbers.hand_over(operator, "send", slip(100), order=order.number)
    bring(operator, lot(1, 5))
    numbers.hand_over(operator, "to_bureau", slip(4), lot="L1")
    assert sound() == []
    with connection.cursor() as cursor:
        cursor.execute(wrong)
    [result] = verify([name])
    assert result.checked > 0
    assert result.violated == 1


def test_purposes_of_lots_are_known() -> None:
    assert {*FROM_LOT, *INTO_LOT} <= set(numbers.PURPOSES)


def sound() -> list[str]:
    results = verify(CHECKED)
    assert {result.name for result in results} == CHECKED
    return [result.name for result in results if result.violated]


@pytest.mark.django_db(transaction=True)
def test_two_correct_a_receipt_that_stands_alone(operator: Actor) -> None:
    """Without an order and a lot there is nothing that both would lock."""
    with transaction.atomic():
        wrong = numbers.hand_over(operator, "receive", slip(10))
    start = Barrier(2)

    def correct(quantity: int) -> str:
        try:
            start.wait()
            with transaction.atomic():
                return numbers.correct_hand_over(operator, wrong.number, slip(quantity), "数错了").purpose
        except Conflict as refusal:
            return refusal.code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(correct, [8, 9])) == ["HANDOVER_REPLACED", "receive"]
