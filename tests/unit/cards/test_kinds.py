"""A kind in force is changed by versions, for applications that are opened afterwards."""

import pytest
from django.db import DatabaseError, connection, transaction

from tests.unit.cards.conftest import KIND, PORTRAIT, City
from xueka.contexts.cards import api as cards
from xueka.contexts.cards.models import CardKind
from xueka.kernel.errors import BadInput, Conflict, Forbidden, NotFound
from xueka.platform.audit.models import Entry
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

ADMIN = Actor.in_role("admin", "管理员", "city_admin", Scope("city"))


def test_a_change_is_the_next_version_with_its_difference(city: City) -> None:
    seen = cards.preview_change(ADMIN, KIND, {"review_levels": ["city"], "validity_years": 6})
    assert [(each.label, each.before, each.after) for each in seen] == [
        ("审核级", "区、市", "市"),
        ("有效学年数", "12", "6"),
    ]
    assert cards.kind(KIND).version == 1
    assert (
        cards.change_kind(ADMIN, KIND, {"review_levels": ["city"], "validity_years": 6}, "试点", version=1)
        == seen
    )
    assert (cards.kind(KIND).version, cards.kind(KIND).validity_years) == (2, 6)
    newest, first = cards.versions(KIND)
    assert (newest.version, newest.by, newest.reason, first.version) == (2, "admin", "试点", 1)
    assert first.fields["review_levels"] == ["district", "city"]
    entry = Entry.objects.get(action="kind.change")
    assert entry.detail["difference"]["validity_years"] == [12, 6]
    with pytest.raises(Conflict):
        cards.change_kind(ADMIN, KIND, {"validity_years": 7}, "迟了", version=1)


def test_open_applications_keep_the_rules_they_began_with(city: City) -> None:
    [old] = city.drafts(city.students())
    cards.change_kind(ADMIN, KIND, {"review_levels": [], "photo_required": False}, "简化")
    [new] = cards.create_applications(city.system, city.students(), KIND).done
    assert not cards.submit(city.system, [old, new]).refused
    states = {id_: cards.application(city.system.scope, id_).state for id_ in (old, new)}
    assert states == {old: "district_review", new: "accepted"}
    cards.change_kind(ADMIN, KIND, {"review_levels": ["school"]}, "再改")
    assert not cards.approve(Actor.system("reviewer"), [old]).refused
    assert cards.application(city.system.scope, old).state == "city_review"


def test_a_photo_still_finds_an_application_that_asks_for_it_by_its_own_rules(city: City) -> None:
    students = city.students()
    [old] = city.drafts(students, photos=False)
    cards.change_kind(ADMIN, KIND, {"photo_required": False}, "不要照片")
    assert cards.submit(city.system, [old]).reasons() == {"PHOTO_MISSING": 1}
    cards.upload_photo(city.system, students[0], PORTRAIT, "x.jpg")
    assert not cards.submit(city.system, [old]).refused


@pytest.mark.parametrize(
    "change",
    [
        {"name": " "},
        {"review_levels": ["city", "district"]},
        {"review_levels": ["village"]},
        {"photo_printed": True, "photo_required": False},
        {"validity_years": 0},
        {"transit_source": "dream"},
        {"beijing_tong_source": "bind"},
        {"transit_pattern": "("},
        {"beijing_tong_pattern": "x" * 65},
        {"face_template": ""},
        {"coupled_with": KIND},
        {"coupled_with": "nichts"},
        {"lost_effects": [{"system": "本系统"}]},
        {"lost_effects": []},
        {"colour": "blue"},
    ],
)
def test_what_cannot_be_is_refused(city: City, change: dict) -> None:
    with pytest.raises(BadInput) as refused:
        cards.change_kind(ADMIN, KIND, change, "试试")
    assert refused.value.code == "KIND_FIELD"
    assert cards.kind(KIND).version == 1


def test_no_reason_no_change_no_right(city: City) -> None:
    with pytest.raises(BadInput):
        cards.change_kind(ADMIN, KIND, {"validity_years": 6}, " ")
    with pytest.raises(BadInput) as refused:
        cards.change_kind(ADMIN, KIND, {"validity_years": 12}, "同样")
    assert refused.value.code == "KIND_UNCHANGED"
    for act in (cards.preview_change, lambda *args: cards.change_kind(*args, "x")):
        with pytest.raises(Forbidden):
            act(city.operator, KIND, {"validity_years": 6})
    with pytest.raises(NotFound):
        cards.change_kind(ADMIN, "nichts", {}, "x")
    cards.change_kind(ADMIN, KIND, {"is_open": False}, "停办")
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE cards_kindversion SET fields = '{}'")


def test_the_data_file_is_taken_over_on_purpose_only(city: City) -> None:
    assert cards.file_difference(KIND) == []
    cards.change_kind(ADMIN, KIND, {"validity_years": 9}, "先改")
    assert [(each.before, each.after) for each in cards.file_difference(KIND)] == [("9", "12")]
    given = cards.file_fields(KIND)
    assert given
    cards.change_kind(ADMIN, KIND, given, "照随附配置")
    assert cards.file_difference(KIND) == []
    CardKind.objects.create(code="own", name="自定", face_template="X")
    assert cards.file_fields("own") is None
    assert cards.file_difference("own") == []
