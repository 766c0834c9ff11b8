"""Figures of first pages: they add up, and they count the right children."""

from tests.unit.cards.conftest import KIND, City
from xueka.contexts.cards import api as cards


def test_a_class_adds_up_to_its_students(city: City) -> None:
    city.students(2)
    city.students(1, status="休学")  # not entitled, not counted
    city.active(city.students(3))
    city.at_school(city.students(2))
    city.drafts(city.students(4))
    returned = city.drafts(city.students(1))
    cards.submit(city.officer, returned)
    cards.send_back(city.district, returned, "photo_unclear")
    city.active(city.students(5, school=1))
    [found] = cards.progress(city.officer.scope, KIND)
    assert (found.students, found.holding, found.without) == (12, 3, 2)
    assert found.applications == {"draft": 4, "returned": 1, "in_production": 2}
    assert found.cards == {"at_school": 2}
    assert found.students == found.holding + found.without + sum(found.applications.values())
    schools = cards.progress(city.district.scope, KIND, by="school")
    assert [(each.label[0], each.students, each.holding) for each in schools] == [
        ("2111010001", 12, 3),
        ("2111010002", 5, 5),
    ]


def test_who_replaces_a_card_still_holds_one(city: City) -> None:
    [card_id] = city.active(city.students(1))
    cards.report_lost(city.officer, card_id)
    city.planned([cards.card(city.system.scope, card_id).student_id], reason="lost")
    [found] = cards.progress(city.officer.scope, KIND)
    assert (found.students, found.holding, found.without) == (1, 1, 0)
    assert found.applications == found.cards == {}


def test_schools_wait_in_the_order_of_their_oldest(city: City) -> None:
    late = city.drafts(city.students(2))
    early = city.drafts(city.students(3, school=1))
    city.drafts(city.students(1, school=2))
    cards.submit(city.other_officer, early)
    cards.Application.objects.filter(id__in=early).update(submitted_at="2026-09-01T00:00:00Z")
    cards.submit(city.officer, late)
    cards.Application.objects.filter(id__in=[early[2], *late]).update(doubts=["photo_gray"])
    found = cards.waiting_by_school(city.district.scope, "district_review")
    assert [(each.school_code, each.clean, each.doubtful) for each in found] == [
        ("2111010002", 2, 1),
        ("2111010001", 0, 2),
    ]
    assert cards.waiting_by_school(city.other_district.scope, "district_review") == []


def test_classes_whose_cards_have_arrived(city: City) -> None:
    assert cards.cards_by_class(city.officer.scope, "at_school") == []
    city.at_school(city.students(2))
    [(_, label, count, _)] = cards.cards_by_class(city.officer.scope, "at_school")
    assert (label, count) == (("小学", 1, "1班"), 2)
    assert cards.cards_by_class(city.other_officer.scope, "at_school") == []
