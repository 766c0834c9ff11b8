"""From files to objects, and what stands in the way."""

from collections import Counter
from datetime import timedelta

import pytest
from django.db import transaction

from tests.unit.takeover.conftest import NOW, ONE, OTHER, WORKER, Programme
from xueka.contexts.cards import api as cards
from xueka.contexts.numbers import api as numbers
from xueka.contexts.numbers.models import NumberRange, NumberUse
from xueka.contexts.operations import api as operations
from xueka.contexts.takeover import api as takeover
from xueka.contexts.takeover.jobs import run
from xueka.contexts.takeover.models import CardRow
from xueka.contexts.takeover.services import loading
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.platform.audit.models import Entry
from xueka.platform.history.models import Transition
from xueka.simulation import old_system

MANIFEST = "文件,项目,数值\n".encode()


def held() -> None:
    violated = {each.name: each.examples for each in operations.verify() if each.violated}
    violated.pop("registry_personal_fields_are_sealed", None)  # the small city's students have no envelope
    assert violated == {}


def findings(found: takeover.TakeOver) -> set[tuple[str, int, str]]:
    labels = {part.label: code for code, part in takeover.PARTS.items()}
    return {
        (labels[error["message"].split("第 ")[0]], error["line"], error["code"])
        for error in found.findings["errors"]
    }


def test_every_defect_is_named_by_line_and_nothing_else(programme: Programme) -> None:
    extract = programme.extract(defects=True)
    found = programme.checked(extract)
    assert findings(found) == set(extract.key)
    assert found.state == "checked"
    assert all(total["agrees"] for total in found.totals)
    assert Counter(code for _, _, code in extract.key) == Counter(found.findings["error_counts"])
    assert found.findings["warning_counts"] == {"PAIR_ALONE": 10}
    for error in found.findings["errors"]:
        assert error["message"].count("。") >= 2, error
    assert cards.CardAccount.objects.count() == 0
    held()


def test_the_empty_files_have_the_headings_of_the_document(programme: Programme) -> None:
    templates = takeover.templates()
    for name, content in programme.extract().files().items():
        code = name.split(".")[0].split("-")[0]
        heading = content.decode("utf-8-sig").splitlines()[0].split(",")
        assert sorted(templates[code].splitlines()[0].split(",")) == sorted(heading), code
    told = [line.split(",")[:2] for line in templates["manifest"].splitlines()[1:]]
    assert told[:3] == [["清单", "版本"], ["清单", "来源系统"], ["清单", "数据时点"]]
    assert [item for part, item in told if part == "cards"] == ["行数", "合计"]


def test_a_clean_set_becomes_ours(programme: Programme) -> None:
    extract = programme.extract()
    found = programme.loaded(extract)
    assert found.state == "loaded"
    assert found.back_until == NOW + timedelta(days=30)
    assert cards.CardAccount.objects.count() == len(extract.rows["accounts"]) == 200
    assert cards.Card.objects.count() == len(extract.rows["cards"])
    states = Counter(cards.Card.objects.values_list("state", flat=True))
    words = {"使用中": "active", "已挂失": "lost", "已注销": "cancelled"}
    assert states == Counter(words[row["卡状态"]] for row in extract.rows["cards"])
    open_states = cards.Application.objects.exclude(state="fulfilled").values_list("state", flat=True)
    assert Counter(open_states) == {"district_review": 5, "city_review": 5, "returned": 5, "accepted": 5}
    held()
    entry = Entry.objects.get(action="takeover.load")
    assert entry.detail["sm3"] == bytes(found.digest).hex()
    assert entry.detail["loaded"]["cards"] == len(extract.rows["cards"])


def test_a_card_keeps_its_number_and_is_found_by_it(programme: Programme) -> None:
    extract = programme.extract()
    programme.loaded(extract)
    row = extract.rows["cards"][0]
    view = cards.account_view(programme.city.system.scope, row["卡号"])
    assert view["account"]["education_id"] == row["教育ID"]
    assert view["account"]["number"] == f"K{row['教育ID']}"
    assert {step["label"] for step in view["timeline"]} == {"接管"}
    assert numbers.fate(programme.city.operator.scope, row["一卡通号"])[0]["state"] == "used"


def test_no_number_of_the_old_system_is_ever_given_again(programme: Programme) -> None:
    extract = programme.extract()
    programme.loaded(extract)
    NumberRange.objects.filter(taken_over=None, sort__in=["transit", "beijing_tong"]).update(is_open=False)
    old = {row["一卡通号"] for row in extract.rows["cards"]} | {extract.rows["numbers"][0]["号码"]}
    used = int(extract.rows["ranges"][0]["已用至"])
    made = programme.city.active(programme.city.students(3))
    for card in cards.Card.objects.filter(id__in=made):
        assert card.transit_number not in old
        assert int(card.transit_number[8:]) > used
    with pytest.raises(Refused) as refusal:
        numbers.add_range(programme.city.operator, "transit", "x", "100099", 10, 1, 5)
    assert refusal.value.code == "RANGE_OVERLAPS"
    held()


def test_a_pair_comes_in_and_the_half_that_is_left_stands_alone(programme: Programme) -> None:
    programme.loaded()
    pairs = cards.Card.objects.filter(kind_id="xj_card").select_related("kind")
    alone = cards.standing_alone(pairs)
    lost = cards.Card.objects.filter(kind_id="zj_card", state="lost").values_list("student_id", flat=True)
    assert len(alone) == 10
    assert {card.student_id for card in pairs if card.id in alone} == set(lost)


def test_a_taken_over_card_lives_on(programme: Programme) -> None:
    programme.loaded()
    card = cards.Card.objects.filter(state="active", kind_id="bjt_student").first()
    assert card is not None
    with transaction.atomic():
        cards.report_lost(programme.city.system, card.id)
    [new] = programme.city.active([card.student_id], reason="lost")
    card.refresh_from_db()
    assert card.state == "cancelled"
    assert cards.Card.objects.get(id=new).state == "active"
    waiting = cards.Application.objects.filter(state="city_review").values_list("id", flat=True)
    with transaction.atomic():
        assert not cards.approve(programme.city.system, list(waiting)).refused
    held()


def test_two_people(programme: Programme) -> None:
    found = programme.checked()
    with pytest.raises(Refused) as refusal:
        takeover.approve(ONE, found.id)
    assert refusal.value.code == "SECOND_PERSON"
    with pytest.raises(Forbidden):
        takeover.check(programme.city.officer, programme.extract().files())
    with pytest.raises(NotFound):
        takeover.approve(programme.city.officer, found.id)


def test_rejected_lines_stay_out_only_on_purpose(programme: Programme) -> None:
    extract = programme.extract(defects=True)
    found = programme.checked(extract)
    with pytest.raises(Refused) as refusal:
        takeover.approve(OTHER, found.id)
    assert refusal.value.code == "LINES_REJECTED"
    assert refusal.value.found == len({(part, line) for part, line, _ in extract.key})
    programme.loaded(programme.extract(defects=True))
    held()


@pytest.mark.parametrize(
    "change", ["a line is missing", "a state is another", "a number is another", "silent"]
)
def test_control_totals_that_differ_stop_the_set(programme: Programme, change: str) -> None:
    extract = programme.extract()
    files = extract.files()
    row = next(row for row in extract.rows["cards"] if row["卡状态"] == "使用中")
    if change == "a line is missing":
        extract.rows["cards"].remove(row)
    elif change == "a state is another":
        row["卡状态"], row["挂失日期"] = "已挂失", "2026-08-01"
    elif change == "a number is another":
        row["卡号"] = f"{row['卡号'][:-1]}{(int(row['卡号'][-1]) + 1) % 10}"
    else:
        files["manifest.csv"] = b"".join(
            line for line in files["manifest.csv"].splitlines(True) if "合计" not in line.decode()
        )
    files["cards.csv"] = extract.files()["cards.csv"]
    found = takeover.check(ONE, files)
    with pytest.raises(Refused) as refusal:
        takeover.approve(OTHER, found.id)
    assert refusal.value.code == "TOTALS_DIFFER"
    with pytest.raises(Refused):
        takeover.compare(ONE, files)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda files: files.pop("manifest.csv"), "MANIFEST_MISSING"),
        (lambda files: files.update({"乱七八糟.csv": b"x"}), "FILE_NAME"),
        (lambda files: files.update({"cards-2.csv": files["cards.csv"]}), "FILE_TWICE"),
        (lambda files: files.update({"cards.csv": b"\xff\xfe1"}), "ENCODING_UTF16"),
        (lambda files: files.update({"cards.csv": b"a,b\n1,2\n"}), "COLUMNS_MISSING"),
        (lambda files: files.update({"manifest.csv": MANIFEST + "清单,版本,9".encode()}), "MANIFEST_VERSION"),
        (lambda files: files.update({"manifest.csv": MANIFEST + "卡,行数,多\n".encode()}), "MANIFEST_LINE"),
    ],
)  # fmt: skip
def test_a_set_that_is_broken_as_a_whole_changes_nothing(programme: Programme, change, code: str) -> None:
    files = programme.extract().files()
    change(files)
    with pytest.raises(BadInput) as refusal, transaction.atomic():
        takeover.check(ONE, files)
    assert refusal.value.code == code
    assert takeover.TakeOver.objects.count() == 0


def test_what_changed_since_the_dry_run_is_left_out_and_named(programme: Programme) -> None:
    found = programme.checked()
    [student] = cards.Card.objects.none() or [programme.education_ids[0]]
    with transaction.atomic():
        from xueka.contexts.registry import api as registry

        ours = registry.Student.objects.get(education_id=student)
        programme.city.drafts([ours.id])
    takeover.approve(OTHER, found.id)
    run(found.id, 50)
    found.refresh_from_db()
    assert found.state == "loaded"
    late = found.findings["late"]
    assert {problem["code"] for problem in late} == {"ACCOUNT_EXISTS"}
    assert cards.CardAccount.objects.get(student_id=ours.id).number.startswith("ZH")
    assert cards.Card.objects.filter(student_id=ours.id).count() == 2, "the cards come in on our account"
    held()


def test_a_recheck_after_the_roster_came(programme: Programme) -> None:
    extract = programme.extract()
    extract.add("accounts", 教育ID="55555555", 账户状态="正常", 开户日期="2024-01-01")
    found = programme.checked(extract)
    assert found.findings["error_counts"] == {"STUDENT_UNKNOWN": 1}
    with transaction.atomic():
        programme.city.students(1, education_id="55555555")
        found = takeover.recheck(ONE, found.id)
    assert found.findings["error_counts"] == {}
    takeover.drop(ONE, found.id, "换一套")
    assert takeover.take_over(ONE.scope, found.number).state == "dropped"


def test_files_in_gb_18030_and_our_own_numbers(programme: Programme) -> None:
    extract = programme.extract()
    ours = extract.rows["cards"][0]
    ours["卡号"] = "250000000017"  # two digits of the year, a serial, and the check digit
    from xueka.kernel.identifiers import card_number

    ours["卡号"] = card_number(2025, 1)
    extract.add(
        "ranges",
        号码种类="学生卡号",
        发放单位="旧系统",
        前缀="25",
        序号位数=9,
        起始序号=1,
        终止序号=99,
        已用至=7,
    )
    found = programme.checked(old_system.Extract(extract.as_of, extract.rows))
    assert found.findings["error_counts"] == {}
    with transaction.atomic():
        again = takeover.check(ONE, extract.files("gb18030"))
    assert again.counts == found.counts
    extract.rows["cards"][1]["卡号"] = card_number(2025, 8)
    beyond = programme.checked(extract)
    assert beyond.findings["error_counts"] == {"NUMBER_NOT_GIVEN": 1}


def test_the_sweep_does_the_work_and_settles_after_the_deadline(programme: Programme) -> None:
    found = programme.checked()
    takeover.approve(OTHER, found.id)
    takeover.work()
    found.refresh_from_db()
    assert found.state == "loaded"
    with clock.at(NOW + timedelta(days=31)):
        with pytest.raises(Refused) as refusal:
            takeover.ask_back(ONE, found.id, "晚了")
        assert refusal.value.code == "BACK_TOO_LATE"
        takeover.work()
    found.refresh_from_db()
    assert found.state == "settled"
    assert [
        step.event
        for step in Transition.objects.filter(machine="takeover", object_id=found.id).order_by("seq")
    ] == ["create", "approve", "finish", "settle"]


def test_a_chunk_is_whole_or_nothing(programme: Programme, monkeypatch: pytest.MonkeyPatch) -> None:
    found = programme.checked()
    takeover.approve(OTHER, found.id)
    for _ in range(4):  # ranges, then accounts
        loading.load_chunk(WORKER, found.id, 80)
    before = (cards.Card.objects.count(), NumberUse.objects.count(), cards.Application.objects.count())

    def broken(*args: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(loading.numbers, "take_over_numbers", broken)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        loading.load_chunk(WORKER, found.id, 80)
    assert (
        cards.Card.objects.count(),
        NumberUse.objects.count(),
        cards.Application.objects.count(),
    ) == before
    assert not CardRow.objects.filter(object_id__isnull=False).exists()
