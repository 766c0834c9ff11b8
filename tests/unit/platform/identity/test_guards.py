"""Who may be the second person of an act under two people (the acts: architecture/test_two_people)."""

import pytest

from xueka.kernel.errors import Refused
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import second_person
from xueka.platform.identity.scope import Scope

LIN = Actor.in_role("lin", "林芳", "city_operator", Scope("city"))


@pytest.mark.parametrize("first", ["anne", ["anne", "bert"], [""], "cli:root"])
def test_another_named_person_may(first: str | list[str]) -> None:
    second_person(LIN, first, "由您提出。")


@pytest.mark.parametrize("first", ["lin", ["anne", "lin"]])
def test_whoever_began_it_may_not(first: str | list[str]) -> None:
    with pytest.raises(Refused) as refusal:
        second_person(LIN, first, "由您提出。", code="SAME_PERSON", where="B1")
    assert (refusal.value.code, refusal.value.where, refusal.value.found) == ("SAME_PERSON", "B1", "lin")


@pytest.mark.parametrize("nobody", [Actor.command_line("root"), Actor.system("worker")])
def test_neither_the_operating_system_user_nor_a_process_is_a_person(nobody: Actor) -> None:
    assert nobody.may("city:key:confirm")
    with pytest.raises(Refused) as refusal:
        second_person(nobody, "anne", "由您提出。")
    assert refusal.value.code == "PERSON_NEEDED"
