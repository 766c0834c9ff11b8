"""What is shown of a week's money adds up, and a break tells where its fen came from."""

from datetime import timedelta

import pytest

from tests.support import statements as made
from tests.support.fake_channel import BANKS
from tests.unit.payments.conftest import Cashier
from tests.unit.treasury.conftest import DAY, line, statement, take, week
from xueka.contexts.payments import api as payments
from xueka.contexts.treasury import api as treasury
from xueka.kernel.errors import NotFound
from xueka.platform.identity.scope import EVERYWHERE, Scope

Town = tuple[Cashier, list[payments.Payment], list[made.Cells]]


def shown() -> tuple[dict[str, treasury.ChannelSides], list[treasury.Step]]:
    found = treasury.sides(EVERYWHERE, DAY, DAY)
    return {each.channel: each for each in found}, treasury.waterfall(EVERYWHERE, DAY, DAY, found)


def adds_up(steps: list[treasury.Step]) -> bool:
    """Each total is where the steps before it have led."""
    level = 0
    for place, step in enumerate(steps):
        if step.total and place and level != step.fen:
            return False
        level = step.fen if step.total else level + step.fen
    return True


def test_a_sound_day_is_four_times_the_same(town: Town) -> None:
    _, _, rows = town
    take(statement(rows))
    week()
    by_channel, steps = shown()
    wechat, nontax = by_channel["wechat"], by_channel["nontax"]
    assert (wechat.orders_fen, wechat.stated_fen, wechat.booked_fen) == (10_000, 10_000, 10_000)
    assert (nontax.orders_fen, nontax.confirmed_fen, nontax.booked_fen) == (2000, 2000, 2000)
    assert wechat.confirmed_fen is None
    assert [(step.label, step.fen) for step in steps] == [
        ("订单", 12_000), ("渠道和财政", 12_000), ("账簿", 12_000),
    ]  # fmt: skip


def test_every_difference_is_a_step(town: Town) -> None:
    _, _, rows = town
    take(statement([*rows[1:], line("XKNOBODYS1", "T-unknown", 1500)]))
    _, steps = shown()
    assert ("未说明", -500) in [(step.label, step.fen) for step in steps]
    assert adds_up(steps)
    week()
    by_channel, steps = shown()
    assert by_channel["wechat"].difference_fen == -500
    assert {step.kind: step.fen for step in steps if step.kind} == {"only_channel": 1500, "only_ours": -2000}
    assert "未说明" not in [step.label for step in steps]
    assert adds_up(steps)


def test_money_that_is_no_orders_is_told_apart(town: Town) -> None:
    cashier, _, _ = town
    order = cashier.order()
    first, second = cashier.attempt(order), cashier.attempt(order, "alipay")
    for each in (first, second):
        BANKS[each.channel].pay(each)
        cashier.notice(each)
    on = DAY + timedelta(days=1)
    by_channel = {each.channel: each for each in treasury.sides(EVERYWHERE, on, on)}
    assert (by_channel["alipay"].received_fen, by_channel["alipay"].orders_fen) == (2000, 0)
    assert by_channel["wechat"].orders_fen == 2000
    assert treasury.takings(EVERYWHERE, DAY, on)[on] == {"wechat": (1, 2000), "alipay": (1, 2000)}


def test_a_break_tells_its_story(town: Town) -> None:
    _, paid, rows = town
    take(statement([*rows[1:], line("XKNOBODYS1", "T-unknown", 1500)]))
    week()
    ours, theirs = (treasury.breaks(EVERYWHERE).get(kind=kind) for kind in ("only_ours", "only_channel"))
    story = treasury.story_of_break(EVERYWHERE, ours)
    assert story.order == paid[0].order
    assert [each.pk for each in story.attempts] == [paid[0].pk]
    assert (story.lines, [each.kind for each in story.entries], len(story.notices)) == ([], ["payment"], 1)
    unknown = treasury.story_of_break(EVERYWHERE, theirs)
    assert unknown.order is None
    assert [(each.number, each.amount_fen) for each in unknown.lines] == [("XKNOBODYS1", 1500)]
    assert unknown.breaks == [theirs]


def test_a_district_sees_none_of_it(town: Town) -> None:
    _, _, rows = town
    take(statement(rows[1:]))
    week()
    district = Scope("district", "110101")
    assert treasury.sides(district, DAY, DAY) == []
    with pytest.raises(NotFound):
        treasury.break_row(district, treasury.breaks(EVERYWHERE).get().pk)
