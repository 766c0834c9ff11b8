"""Families that need another card: they ask, pay as people pay, and get it where they chose."""

from collections.abc import Sequence
from random import Random

from django.db import transaction

from xueka.contexts.cards import api as cards
from xueka.contexts.payments import api as payments
from xueka.contexts.receipts import api as receipts
from xueka.contexts.registry import api as registry
from xueka.contexts.replacements import api as replacements
from xueka.kernel.errors import Refused
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE, GUARDIAN, Scope
from xueka.simulation import issuing, staff
from xueka.simulation.tills import Tills
from xueka.simulation.world import World

#: Of those who pay: too late, twice by going back, by a payment code; and who call it off after they paid.
LATE, TWICE, CODE, CALLED_OFF = 0.04, 0.05, 0.15, 0.04
WECHAT = 0.6
PATIENCE = 6
_ROUNDS, _RECEIPT_ROUNDS = 200, 20
#: Fewer than one sweep of replacements follows.
_AT_ONCE = 400


def replace(
    world: World, tills: Tills, wishes: Sequence[tuple[str, Sequence[registry.Student]]], title: str
) -> None:
    """All who lost or broke a card, or changed name or school, from the question to the child's hand."""
    accepted = issuing.review(world, ask_and_pay(world, tills, wishes))
    world.count("replacements", len(accepted))
    issuing.issue(world, accepted, title)
    for _ in range(1 + len(accepted) // _AT_ONCE):
        replacements.follow()


def ask_and_pay(
    world: World, tills: Tills, wishes: Sequence[tuple[str, Sequence[registry.Student]]]
) -> list[int]:
    """Until all of it is paid or has gone back; the applications that now wait for the district."""
    asked: list[int] = []
    for reason, students in wishes:
        for student in students:
            made = ask(world, student, reason)
            asked.append(made.id)
            if made.state == "unpaid":
                pay(world, tills, made)
    settle(world, tills)
    _call_off(world, asked)
    settle(world, tills)
    rows = replacements.rows(staff.CITY).filter(id__in=asked, state="paid").order_by("id")
    return [each.application_id for each in rows if each.application_id]


def ask(world: World, student: registry.Student, reason: str) -> replacements.Replacement:
    """A guardian consents where she has not, says why, and hands in; the card comes to the school.

    What is made at a counter needs plastic and a reader; `tests/faults/write_cards.py` shows that.
    """
    parent = guardian(student)
    live = cards.card_rows(EVERYWHERE).filter(student=student, kind=issuing.KIND, state__in=cards.LIVE)
    with world.work(minutes=2):
        if replacements.consent_missing(student):
            registry.record_consent(parent, [student.id], "given", "2025-08", "监护人", "page")
        made = replacements.begin(parent, live.get().number, reason)
        replacements.choose_delivery(parent, made.id, "school")
        return replacements.submit(parent, made.id)


def pay(world: World, tills: Tills, made: replacements.Replacement) -> None:
    """As people do: most at once, some too late and then again, some twice."""
    parent, dice = guardian(made.student), world.dice(f"pays {made.number}")
    way = dice.random()
    first = _channel(dice)
    if way < LATE:
        attempt = _begin(world, tills, parent, made, first)
        world.pass_time(minutes=45)
        tills.sweep()
        if attempt and tills.pays(attempt, force=True):
            world.count("late_paid")
        tills.sweep()
    elif way > 1 - CODE:
        attempt = _begin(world, tills, parent, made, "nontax")
        if attempt:
            tills.pays(attempt)
        world.pass_time(minutes=2)
        tills.sweep()
    elif way < LATE + TWICE:
        attempt = _begin(world, tills, parent, made, first)
        other = _begin(world, tills, parent, made, "alipay" if first == "wechat" else "wechat")
        if attempt and other and tills.pays(attempt) and tills.pays(other):
            world.count("double_paid")
        world.pass_time(minutes=1)
    _until_paid(world, tills, parent, made, dice)


def guardian(student: registry.Student) -> Actor:
    scope = Scope(GUARDIAN, children=frozenset([student.id]))
    return Actor.in_role(f"guardian:sim-{student.education_id}", "家长", GUARDIAN, scope)


def settle(world: World, tills: Tills) -> None:
    """Until every payment, refund and notice has come to its end; time goes on meanwhile."""
    for turn in range(_ROUNDS):
        fetched = tills.sweep()
        replacements.follow()
        tills.channels.end_refunds()
        _mend_refunds(world)
        lacking = turn < _RECEIPT_ROUNDS and receipts.waiting(EVERYWHERE).exists()
        if not fetched and not lacking and not _undecided():
            return
        world.pass_time(minutes=31)
    raise RuntimeError("a payment or a refund of the simulation never comes to an end")


def _until_paid(
    world: World, tills: Tills, parent: Actor, made: replacements.Replacement, dice: Random
) -> None:
    """Another attempt wherever the one before came to nothing, at either channel."""
    for _ in range(PATIENCE):
        with transaction.atomic():
            try:
                replacements.order_to_pay(parent, made.id)
            except Refused:
                return
        attempt = _begin(world, tills, parent, made, _channel(dice))
        if attempt and tills.pays(attempt):
            world.pass_time(minutes=2)
            tills.sweep()
            return
        world.pass_time(minutes=10)
        tills.sweep()


def _begin(
    world: World, tills: Tills, parent: Actor, made: replacements.Replacement, channel: str
) -> payments.Payment | None:
    """An attempt at a channel, its page opened; None where the channel would not hear, or it is too late."""
    made.refresh_from_db(fields=["order"])
    tills.keep_time()
    try:
        started = payments.pay(parent, made.order_id or 0, channel, openid=f"o{made.number}")
    except Refused:
        world.pass_time(minutes=1)
        return None
    if started.kind == "redirect":
        tills.channels.opens(started.data["url"])
    return payments.payment_rows(EVERYWHERE).get(id=started.payment_id)


def _call_off(world: World, asked: Sequence[int]) -> None:
    """Some find the card after they paid: the money goes back, the card lives again."""
    rows = replacements.rows(staff.CITY).filter(id__in=asked, state="paid", reason="lost", fee_fen__gt=0)
    rows = rows.exclude(order__payments__channel="nontax")  # what is in the treasury takes longer
    for made in rows.order_by("id"):
        if not world.happens(f"called off {made.number}", CALLED_OFF):
            continue
        with world.work(minutes=5):
            replacements.cancel(guardian(made.student), made.id)
            school = made.student.school
            officer = staff.school_officer(school.district_id, school.code)
            cards.lift(officer, made.old_card_id, "在家中找到")
        world.count("called_off")


def _channel(dice: Random) -> str:
    return "wechat" if dice.random() < WECHAT else "alipay"


def _undecided() -> bool:
    """What goes back by the treasury (退付) takes its own time."""
    return (
        payments.payment_rows(EVERYWHERE).filter(state__in=payments.UNDECIDED).exists()
        or payments.refund_rows(EVERYWHERE)
        .filter(state__in=payments.REFUND_UNDECIDED, way="channel")
        .exists()
        or payments.order_rows(EVERYWHERE).filter(state="open").exists()
        or payments.Notice.objects.filter(outcome="").exists()
    )


def _mend_refunds(world: World) -> None:
    """Finance hears from the channel that it cannot send the money back that way, and asks anew."""
    rows = payments.refund_rows(EVERYWHERE).order_by("id")
    for stuck in rows.filter(state="abnormal"):
        with world.work():
            payments.hear_refund(stuck.id, payments.ToldRefund("failed", word="渠道确认没有退出"))
    again = set(rows.filter(key__startswith="again:").values_list("key", flat=True))
    for failed in rows.filter(state="failed"):
        if f"again:{failed.number}" not in again:
            with world.work():
                payments.refund_again(staff.finance("a"), failed.id)
