"""The student registry of a demo city: whom the files named is on its roll, and a few changes wait there."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from xueka.kernel.clock import SimulatedClock, simulated
from xueka.kernel.errors import XuekaError
from xueka.simulation import files, people, year
from xueka.simulation.beside import running_beside
from xueka.simulation.registry_side import Registry
from xueka.simulation.world import World


def settle(world: World, pupils: Sequence[str]) -> None:
    """Tell it of the city, fetch everything once, and let things change there afterwards: of three `pupils`
    (education IDs) one has another name, one moves to another district, one leaves; and somebody is new.

    Raises XuekaError `COUNTERPART_DIFFERS` where what both sides hold is not the same after the fetch.
    """
    with running_beside("registry", seed=world.seed, faults="none") as card:
        side = Registry(card)
        _enter(world, side)
        _fetch(side)
        _change(world, side, pupils)
        side.close()


def _enter(world: World, side: Registry) -> None:
    """Each dated as the file that named her last: what is old is in no list of changes."""
    written = sorted(world.registrar.roll.values(), key=lambda each: each.at)
    for at, some in groupby(written, key=lambda each: each.at):
        with simulated(SimulatedClock(at)):
            side.enter([files.person(each.student) for each in some])


def _fetch(side: Registry) -> None:
    line = side.line()
    if line.differing:
        raise XuekaError(
            "COUNTERPART_DIFFERS", "学籍系统模拟器与本系统的学生不一致。", found=f"{line.differing} 处"
        )


def _change(world: World, side: Registry, pupils: Sequence[str]) -> None:
    renamed, moved, gone = world.registrar.students(pupils)
    home = moved.school
    there = [each.student.school for each in world.registrar.roll.values()]
    away = [each for each in there if each.stage == home.stage and each.district != home.district]
    [newcomer] = people.students(world.dice("comes late"), [home], 1, year.SCHOOL_YEAR + 1)
    world.registrar.side = side
    world.registrar.write(
        [
            replace(renamed, name=renamed.name[0] + newcomer.name[1:]),
            replace(moved, school=min(away, key=lambda each: each.code), class_name="1班"),
            newcomer,
        ]
    )
    side.leave(gone.education_id)
