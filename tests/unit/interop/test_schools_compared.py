"""Both sides of each school compared after a fetch: counts first, students where the counts differ."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse

from tests.support.registry import SCHOOLS, clean, load_schools
from tests.support.student_registry import OPERATOR, Registry, person, registry_beside
from tests.unit.cards.conftest import city
from tests.unit.transit.test_pages import operator
from xueka.contexts.interop import api as interop
from xueka.contexts.interop.models import Comparison, Difference, SchoolRound
from xueka.contexts.interop.services import comparing_schools
from xueka.contexts.registry import api as registry_api
from xueka.contexts.registry.models import Absence, OneRosterLink, Student
from xueka.kernel import clock
from xueka.platform.identity.actor import Actor

__all__ = ["city", "operator"]
pytestmark = pytest.mark.django_db(databases=["default"])
SYSTEM = Actor.system("test")


@pytest.fixture
def registry(tmp_path: Path, settings: LazySettings) -> Iterator[Registry]:
    settings.ONEROSTER_LIMIT = 20
    settings.ONEROSTER_CALLS_PER_SECOND = 1e9
    load_schools()
    with registry_beside(tmp_path / "registry", settings) as made:
        yield made


def set_clock(registry: Registry, **ago: float) -> None:
    """The registry's: so long ago, or now."""
    registry.house.clock.set(clock.local(clock.now() - timedelta(**ago)).isoformat())


def compared() -> Comparison:
    """One round to its end."""
    comparing_schools.advance()
    found = SchoolRound.objects.latest("id")
    assert found.comparison is not None, (found.problem, found.up_to)
    return found.comparison


def differing() -> dict[str, str]:
    """Key and kind of what stands."""
    return dict(interop.differences(SYSTEM).values_list("key", "kind"))


def agreed(registry: Registry, count: int = 30) -> list[str]:
    users = registry.enter(clean(count))
    assert registry.fetch().run
    found = compared()
    assert (found.ours, found.theirs, found.both, found.agreeing, found.differing) == (count,) * 4 + (0,)
    assert found.round_trips == 2  # one count a school, and nothing read
    return users


def key_of(user: str) -> str:
    student = Student.objects.get(education_id=user.removeprefix("u-"))
    return f"{student.school.code}/{student.education_id}"


def test_it_follows_each_fetch_that_was_brought_in_and_no_other(registry: Registry) -> None:
    comparing_schools.advance()
    assert not SchoolRound.objects.exists()
    agreed(registry)
    comparing_schools.advance()
    assert SchoolRound.objects.count() == 1
    registry.enter(clean(1, first=900))
    waits = registry.fetch(check_only=True)
    assert waits.waits
    comparing_schools.advance()
    assert SchoolRound.objects.count() == 1
    registry_api.apply_fetch(OPERATOR, waits.id)
    assert compared().ours == 31 and SchoolRound.objects.count() == 2


def test_who_came_unseen_and_who_went_unseen_are_named_until_everything_is_fetched(
    registry: Registry,
) -> None:
    users = agreed(registry)
    set_clock(registry, days=9)  # entered long ago by its date: no night's changes have her
    gone = users[0]
    school = key_of(gone).partition("/")[0]
    (other,) = (each for each in SCHOOLS[:2] if each[0] != school)
    (unseen,) = registry.enter(clean(1, first=900, schools=[other]))
    set_clock(registry)
    for kind in ("users", "enrollments", "demographics"):
        registry.roll.purge(kind, f"e-{gone}" if kind == "enrollments" else gone)
    assert registry.fetch().run
    assert compared().differing == 2
    assert differing() == {
        f"{other[0]}/{unseen.removeprefix('u-')}": "missing_here",
        key_of(gone): "missing_there",
    }
    row = Difference.objects.get(kind="missing_here")
    _, ours, theirs = interop.difference(SYSTEM, row.id)
    assert ours == "" and theirs.startswith(f"{unseen.removeprefix('u-')}|")
    unlike = SchoolRound.objects.latest("id").unlike
    assert sorted(each[0] for each in unlike) == sorted([school, other[0]])
    assert all(abs(ours - theirs) == 1 and many == 1 for _, ours, theirs, many in unlike)
    # The same the next night: no second list, only seen again.
    assert registry.fetch().run and compared().differing == 2
    assert set(Difference.objects.values_list("times", flat=True)) == {2}
    # One decision for both: everything is fetched, and the next comparison finds them closed.
    assert interop.take_theirs(SYSTEM, list(Difference.objects.values_list("id", flat=True))) == 2
    number = registry_api.fetches(OPERATOR)[0].id
    assert registry_api.fetches(OPERATOR)[0].full
    assert registry.walk(number).run
    assert compared().differing == 0 and differing() == {}
    assert Absence.objects.filter(student__education_id=gone.removeprefix("u-"), state="missing").exists()
    found = SchoolRound.objects.latest("id")
    assert found.known == {"absent": 1} and found.comparison and found.comparison.on_the_way == 1


def test_a_student_who_differs_is_named_where_her_school_is_read(registry: Registry) -> None:
    users = agreed(registry)
    registry.roll.correct(users[3], {"name": "欧阳文"}, at="2026-01-01T00:00:00.000Z")
    set_clock(registry, days=9)
    for number, each in enumerate(SCHOOLS[:2]):
        registry.enter(clean(1, first=900 + number, schools=[each]))
    set_clock(registry)
    assert registry.fetch().run
    compared()
    assert differing()[key_of(users[3])] == "differs"
    row = Difference.objects.get(kind="differs")
    _, ours, theirs = interop.difference(SYSTEM, row.id)
    assert "欧阳文" in theirs and "欧阳文" not in ours


def test_what_is_known_is_no_difference(registry: Registry) -> None:
    users = agreed(registry)
    registry.roll.leave(users[0])  # an absence
    registry.roll.put({**person(clean(1, first=900)[0]), "id_type": "没有这种证件"})  # refused
    assert registry.fetch().run
    # After the fetch: what the next one brings.
    set_clock(registry, seconds=-60)
    registry.enter(clean(1, first=950))
    registry.roll.end_enrolment(users[1])
    found = compared()
    assert found.differing == 0 and differing() == {}
    known = SchoolRound.objects.latest("id").known
    assert known == {"absent": 1, "refused": 1, "on_the_way": 2}, known


def test_killed_after_a_school_it_goes_on_with_the_next(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.enter(clean(30))
    assert registry.fetch().run
    asked: list[str] = []
    real = registry_api.compare_school

    def once(client: object, code: str, *more: object, **named: object) -> object:
        asked.append(code)
        if len(asked) == 2:
            raise MemoryError
        return real(client, code, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(registry_api, "compare_school", once)
    with pytest.raises(MemoryError):
        comparing_schools.advance()
    codes = [code for code, _ in registry_api.registry_schools()]
    assert SchoolRound.objects.get().up_to == codes[0]
    assert compared().ours == 30
    assert asked == [codes[0], codes[1], *codes[1:]]


def test_a_registry_that_answers_badly_is_asked_later_and_agrees_in_the_end(registry: Registry) -> None:
    agreed(registry)
    registry.turn(preset="heavy", delay=0)
    registry.fetch()
    for _ in range(200):
        SchoolRound.objects.filter(ended_at=None).update(next_at=clock.now())
        comparing_schools.advance()
        if SchoolRound.objects.latest("id").ended_at and SchoolRound.objects.count() == 2:
            break
    registry.turn(preset="none")
    last = SchoolRound.objects.latest("id")
    assert SchoolRound.objects.count() == 2 and last.comparison and last.comparison.problem == ""
    registry.fetch(full=True)
    assert compared().differing == 0 and differing() == {}


def test_a_registry_without_lists_by_school_is_said_to_have_none(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.enter(clean(30))
    assert registry.fetch().run
    OneRosterLink.objects.filter(kind="org").delete()
    OneRosterLink.objects.bulk_create(
        OneRosterLink(kind="org", sourced_id=f"never-{school[0]}", value=school[0]) for school in SCHOOLS[:2]
    )
    found = compared()
    assert "不答按校的名单" in found.problem and not Difference.objects.exists()


def test_the_pages_name_schools_and_students(registry: Registry, operator: Client) -> None:
    users = registry.enter(clean(30))
    assert registry.fetch().run
    gone = users[0]
    key = key_of(gone)
    registry.roll.purge("users", gone)
    registry.roll.purge("enrollments", f"e-{gone}")
    registry.roll.leave(users[1])
    assert registry.fetch().run and compared().differing == 1
    school, _, education_id = key.partition("/")
    page = operator.get(reverse("city:interface", args=[interop.STUDENT_REGISTRY])).content.decode()
    assert "1 项差异" in page and "学籍缺失 1 人" in page and f"有差异的学校：{school}（" in page
    listing = reverse("city:interface_differences")
    for asked in ({"of": interop.STUDENT_REGISTRY}, {"q": education_id}, {"q": school}):
        assert key in operator.get(listing, asked).content.decode()
    assert key not in operator.get(listing, {"q": "none"}).content.decode()
    row = Difference.objects.get()
    one = operator.get(reverse("city:interface_difference", args=[row.id])).content.decode()
    assert "采纳对方" in one and "补发" not in one and "请对方处理" in one and "没有这条记录" in one
    done = operator.post(reverse("city:interface_differences_do", args=["take"]), {"keys": [row.id]})
    assert done.status_code == 302
    assert registry_api.fetches(OPERATOR)[0].full
