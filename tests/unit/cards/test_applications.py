"""Applying and reviewing: in bulk, level by level, each refusal with its reason, previewed truthfully."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from tests.unit.cards.conftest import KIND, NOW, City
from xueka.contexts.cards import api as cards
from xueka.contexts.cards.models import Application, CardAccount, CardKind
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.platform.audit.models import Entry
from xueka.platform.identity.actor import Actor


def state_of(application_id: int) -> str:
    return Application.objects.get(id=application_id).state


def codes(result: cards.BulkResult) -> dict[int, str]:
    return {id_: code for id_, code, _ in result.refused}


def test_a_class_applies_and_each_is_told_why_not(city: City) -> None:
    good, gone, twice = city.students(3)
    registry.Student.objects.filter(id=gone).update(status="毕业")
    cards.create_applications(city.officer, [twice], KIND)
    previewed = cards.preview_create(city.officer, [good, gone, twice], KIND)
    assert (previewed.done, CardAccount.objects.count()) == ([good], 1)
    result = cards.create_applications(city.officer, [good, gone, twice], KIND)
    assert codes(result) == codes(previewed) == {gone: "NOT_ENROLLED", twice: "APPLICATION_OPEN"}
    made = Application.objects.get(id=result.done[0])
    assert (made.state, made.number, made.reason) == ("draft", f"SL26{made.id:08d}", "new")
    assert made.account.number == f"ZH{made.account_id:010d}"
    assert Entry.objects.filter(action="application.create").count() == 2


def test_an_account_is_opened_once_and_serves_every_later_card(city: City) -> None:
    [student] = city.students()
    city.active([student])
    [again] = cards.create_applications(city.officer, [student], KIND, "damaged").done
    assert CardAccount.objects.count() == 1
    assert Application.objects.get(id=again).old_card is not None


def test_strangers_students_kinds_and_reasons_are_refused(city: City) -> None:
    [student] = city.students()
    with pytest.raises(NotFound):
        cards.create_applications(city.other_officer, [student], KIND)
    with pytest.raises(NotFound):
        cards.create_applications(city.officer, [student], "nothing")
    with pytest.raises(Refused, match="停止"):
        cards.create_applications(city.officer, [student], "xj_card")
    with pytest.raises(BadInput):
        cards.create_applications(city.officer, [student], KIND, "because")
    with pytest.raises(Forbidden):
        cards.create_applications(city.district, [student], KIND)
    assert not CardAccount.objects.exists()


def test_the_way_through_the_reviews(city: City) -> None:
    [one] = city.drafts(city.students())
    assert codes(cards.approve(city.district, [one])) == {one: "TRANSITION_NOT_ALLOWED"}
    cards.submit(city.officer, [one])
    assert state_of(one) == "district_review"
    assert codes(cards.approve(city.operator, [one])) == {one: "NOT_YOUR_LEVEL"}
    assert cards.approve(city.district, [one]).done == [one]
    assert state_of(one) == "city_review"
    assert cards.approve(city.operator, [one]).done == [one]
    assert state_of(one) == "accepted"


def test_a_school_step_where_the_kind_asks_for_one(city: City) -> None:
    CardKind.objects.filter(code=KIND).update(review_levels=["school", "city"])
    [one] = city.drafts(city.students())
    cards.submit(city.officer, [one])
    reviewer = city.person("reviewer", "school_reviewer", city.schools[0])
    same_person = city.person("officer", "school_reviewer", city.schools[0])
    assert codes(cards.approve(same_person, [one])) == {one: "REVIEWER_IS_SUBMITTER"}
    cards.approve(reviewer, [one])
    assert state_of(one) == "city_review"


def test_a_kind_without_reviews_is_accepted_at_once(city: City) -> None:
    CardKind.objects.filter(code=KIND).update(review_levels=[])
    [one] = city.drafts(city.students())
    cards.submit(city.officer, [one])
    assert state_of(one) == "accepted"


def test_sent_back_corrected_and_submitted_again(city: City) -> None:
    [one] = city.drafts(city.students())
    cards.submit(city.officer, [one])
    cards.send_back(city.district, [one], "photo_unclear", "请重拍")
    returned = Application.objects.get(id=one)
    assert (returned.state, returned.refusal_code, returned.refusal_text) == (
        "returned",
        "photo_unclear",
        "请重拍",
    )
    cards.submit(city.officer, [one])
    corrected = Application.objects.get(id=one)
    assert (corrected.state, corrected.refusal_code) == ("district_review", "")
    reasons = [
        step["reason"]
        for step in cards.timeline(city.operator.scope, "00000001")
        if step["event"] == "send_back"
    ]
    assert reasons == ["照片不清晰：请重拍"]


def test_a_refusal_ends_it_and_the_student_may_apply_anew(city: City) -> None:
    [student] = city.students()
    [one] = city.drafts([student])
    cards.submit(city.officer, [one])
    cards.refuse(city.district, [one], "duplicate")
    assert state_of(one) == "refused"
    assert cards.create_applications(city.officer, [student], KIND).done


@pytest.mark.parametrize(("code", "text"), [("", ""), ("nonsense", ""), ("other", " ")])
def test_no_without_a_reason(city: City, code: str, text: str) -> None:
    with pytest.raises(BadInput):
        cards.send_back(city.district, [], code, text)
    with pytest.raises(BadInput):
        cards.refuse(city.district, [], code, text)


def test_withdrawn_while_under_review_but_not_once_accepted(city: City) -> None:
    first, second = city.drafts(city.students(2))
    cards.submit(city.officer, [first, second])
    cards.approve(city.district, [second])
    cards.approve(city.operator, [second])
    result = cards.withdraw(city.officer, [first, second])
    assert (result.done, codes(result)) == ([first], {second: "TRANSITION_NOT_ALLOWED"})
    assert (state_of(first), state_of(second)) == ("withdrawn", "accepted")


def test_a_district_sees_and_reviews_its_own_schools_only(city: City) -> None:
    here, there = city.drafts(city.students(1, school=1)), city.drafts(city.students(1, school=2))
    cards.submit(city.system, [*here, *there])
    assert [a.id for a in cards.applications(city.district.scope)] == here
    with pytest.raises(NotFound):
        cards.approve(city.district, [*here, *there])
    with pytest.raises(NotFound):
        cards.preview("approve", city.district, there)
    assert state_of(here[0]) == "district_review"


@pytest.mark.parametrize("verb", ["submit", "withdraw", "approve", "send_back", "refuse", "cancel"])
def test_the_preview_says_what_the_act_does(city: City, verb: str) -> None:
    ids = city.drafts(city.students(6))
    Application.objects.filter(id=ids[0]).update(photo=None)
    cards.submit(city.officer, ids[2:])
    cards.approve(city.district, ids[3:])
    cards.approve(city.operator, ids[4:])
    cards.plan_cards(city.operator, ids[5:])
    actor = Actor.system("somebody")
    before = list(Application.objects.order_by("id").values_list("state", flat=True))
    previewed = cards.preview(verb, actor, ids)
    assert list(Application.objects.order_by("id").values_list("state", flat=True)) == before
    acts = {
        "submit": cards.submit,
        "withdraw": cards.withdraw,
        "approve": cards.approve,
        "send_back": lambda a, i: cards.send_back(a, i, "data_mismatch"),
        "refuse": lambda a, i: cards.refuse(a, i, "data_mismatch"),
        "cancel": lambda a, i: cards.cancel_applications(a, i, "不再需要"),
    }
    done = acts[verb](actor, ids)
    assert done == previewed
    assert done.done and done.refused


def test_a_photo_is_asked_for_where_the_kind_asks(city: City) -> None:
    [one] = city.drafts(city.students(), photos=False)
    assert codes(cards.submit(city.officer, [one])) == {one: "PHOTO_MISSING"}
    CardKind.objects.filter(code=KIND).update(photo_required=False)
    assert cards.submit(city.officer, [one]).done == [one]


def consent(city: City, student: int, action: str = "given") -> None:
    registry.record_consent(city.system, [student], action, "2026-1", "父", "paper")


def test_consent_is_a_condition_where_the_kind_says_so(city: City) -> None:
    without, given, withdrawn = students = city.students(3)
    for student, actions in ((given, ["given"]), (withdrawn, ["given", "withdrawn"])):
        for action in actions:
            consent(city, student, action)
    ids = dict(zip(students, city.drafts(students), strict=True))
    CardKind.objects.filter(code=KIND).update(consent_required=True)
    result = cards.submit(city.officer, list(ids.values()))
    assert codes(result) == {ids[without]: "CONSENT_MISSING", ids[withdrawn]: "CONSENT_MISSING"}
    CardKind.objects.filter(code=KIND).update(consent_required=False)
    assert cards.submit(city.officer, [ids[without]]).done == [ids[without]]
    doubts = dict(Application.objects.values_list("id", "doubts"))
    assert (
        doubts[ids[given]] == doubts[ids[without]] == []
    )  # paper forms come in later; a list names who is missing


def test_doubts_are_named_for_the_reviewer(city: City) -> None:
    second, moved, twin, other, namesake = students = city.students(5)
    for student in students:
        consent(city, student)
    city.active([second])
    here, there = city.schools[0], city.schools[2]
    registry.Transfer.objects.create(
        student_id=moved,
        from_school=there,
        to_school=here,
        to_class=here.classes.get(),
        state="open",
        asked_at=NOW,
    )
    registry.Student.objects.filter(id__in=[twin, other]).update(name="王同", phone_index=b"p" * 32)
    registry.Student.objects.filter(id=namesake).update(name="王同", phone_index=b"q" * 32)
    drafts = city.drafts([moved, twin, namesake])
    drafts += city.drafts([second], reason="damaged")
    cards.submit(city.officer, drafts)
    found = dict(Application.objects.values_list("account__student_id", "doubts"))
    assert found[moved] == ["transfer_other_district"]
    assert found[twin] == ["duplicate_person"]
    assert found[namesake] == []
    assert Application.objects.get(id=drafts[3]).doubts == ["second_within_year"]
    assert {a.account.student_id for a in cards.applications(city.operator.scope, doubtful=True)} >= {
        moved,
        twin,
    }


def test_a_card_of_two_years_ago_is_no_doubt(city: City) -> None:
    [student] = city.students()
    consent(city, student)
    city.active([student])
    with clock.at(NOW + timedelta(days=366)):
        [one] = city.drafts([student], reason="damaged")
        cards.submit(city.officer, [one])
    assert Application.objects.get(id=one).doubts == []


def test_cancelling_voids_a_made_card_and_leaves_alone_what_others_hold(city: City) -> None:
    students = city.students(4)
    accepted = city.accepted(students[:1])
    [planned] = [card.application_id for card in city.planned(students[1:2])]
    [made] = [card.id for card in city.planned(students[2:3])]
    cards.order_cards(city.system, [made])
    cards.confirm_made(city.system, [(made, "")])
    [at_school] = city.at_school(students[3:])
    made_for, waiting = (cards.card(city.operator.scope, id_).application_id for id_ in (made, at_school))
    result = cards.cancel_applications(city.operator, [accepted[0], planned, made_for, waiting], "家长放弃")
    assert codes(result) == {planned: "CARD_ELSEWHERE", waiting: "CARD_ELSEWHERE"}
    assert (state_of(accepted[0]), state_of(made_for)) == ("cancelled", "cancelled")
    assert cards.card(city.operator.scope, made).state == "void"
    assert cards.card(city.operator.scope, at_school).state == "at_school"


def test_there_is_no_preview_of_what_cannot_be_done() -> None:
    with pytest.raises(ValueError, match="paint"):
        cards.preview("paint", Actor.system("x"), [])


def test_the_database_allows_one_open_application_and_one_account(city: City) -> None:
    [one] = city.drafts(city.students())
    with pytest.raises(IntegrityError, match="cards_one_open_application"), transaction.atomic():
        copy = Application.objects.get(id=one)
        copy.pk, copy.number = None, "X"
        copy.save()


def test_lists_filter_search_and_page(city: City) -> None:
    ids = city.drafts(city.students(5))
    cards.submit(city.officer, ids[:2])
    scope = city.officer.scope
    assert [a.id for a in cards.applications(scope, states=["district_review"])] == ids[:2]
    assert [a.id for a in cards.applications(scope, after=ids[1], limit=2)] == ids[2:4]
    assert [a.id for a in cards.applications(scope, search="00000003")] == [ids[2]]
    assert [a.id for a in cards.applications(scope, search="学生4")] == [ids[3]]
    assert [a.id for a in cards.applications(scope, search=f"sl26{ids[4]:08d}")] == [ids[4]]
    assert (
        cards.applications(scope, district="110102") == cards.applications(scope, school="2111010002") == []
    )
    assert cards.application(scope, f"SL26{ids[0]:08d}").id == ids[0]
    assert cards.application_counts(scope) == {"draft": 3, "district_review": 2}
    assert [a.id for a in cards.applications_by_id(scope, ids[::-1])] == ids
    with pytest.raises(NotFound):
        cards.application(city.other_district.scope, ids[0])


def test_who_still_has_to_apply(city: City) -> None:
    without, applying, holding, gone = city.students(4)
    registry.Student.objects.filter(id=gone).update(status="转出")
    city.drafts([applying])
    city.active([holding])
    assert [student.id for student in cards.without_card(city.officer.scope, KIND)] == [without]
    assert not cards.without_card(city.other_officer.scope, KIND).exists()


def test_a_reviewer_takes_back_what_nobody_has_gone_on_with(city: City) -> None:
    first, second, third = made = city.drafts(city.students(3))
    cards.submit(city.officer, made)
    cards.approve(city.district, [first, second])
    cards.send_back(city.district, [third], "photo_unclear")
    cards.approve(city.operator, [second])
    result = cards.recall(city.district, made)
    assert result.done == [first, third]
    assert codes(result) == {second: "NOT_YOUR_STEP"}
    assert [state_of(each) for each in made] == ["district_review", "accepted", "district_review"]
    assert cards.application(city.system.scope, third).refusal_code == ""
    assert cards.recall(city.operator, [second]).done == [second]
    assert state_of(second) == "city_review"


def test_cards_and_applications_are_found_by_a_part_of_a_name_and_by_any_number(city: City) -> None:
    [card_id] = city.active(city.students(1, name="王子涵"))
    scope = city.officer.scope
    card = cards.card(scope, card_id)
    name = card.student.name
    for text in (name, name[-2:], card.student.education_id, card.number, card.transit_number, card.chip_uid):
        found = cards.find_cards(cards.card_rows(scope), text)
        assert [each.id for each in found] == [card_id], text
    for text in (name, name[-2:], card.student.education_id, card.application.number.lower()):
        applications = cards.find_applications(cards.application_rows(scope), text)
        assert [each.id for each in applications] == [card.application_id], text
    assert not cards.find_cards(cards.card_rows(city.other_district.scope), name)
