"""Return files: refused whole or reconciled line by line, and nothing in between."""

import hashlib
import random
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from tests.support.bureau_files import CODES
from tests.support.size import dial
from tests.unit.production.conftest import (
    DISTRICT,
    FIRST,
    OTHER,
    SECOND,
    Line,
    card_states,
    fresh,
    items,
    line,
    outcomes,
    signed_return,
    the_package,
    uid,
)
from xueka.contexts.cards import api as cards
from xueka.contexts.production import api as production
from xueka.contexts.production import jobs
from xueka.contexts.production.models import InboxFile, Problem, ReturnFile
from xueka.contexts.production.quality import QUALITY
from xueka.kernel import clock
from xueka.kernel.errors import Forbidden, NotFound
from xueka.platform.audit.models import Entry
from xueka.platform.files import services as files
from xueka.platform.files.models import StoredFile

SIX = ("matched", "failed", "missing", "duplicate", "unknown", "altered")


def numbers(report: production.ReturnReport) -> tuple[int, ...]:
    return tuple(getattr(report, name) for name in SIX)


def codes(report: production.ReturnReport) -> list[tuple[Any, str]]:
    return [(error["line"], error["code"]) for error in report.errors]


def footprint() -> str:
    """A digest of everything that a return file may change."""
    tables = (
        "production_batch",
        "production_batchitem",
        "cards_card",
        "cards_application",
        "numbers_numberuse",
        "history_transition",
        "production_package",
    )
    digest = hashlib.sha256()
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT coalesce(string_agg(t::text, '' ORDER BY id), '') FROM {table} t")
            digest.update(cursor.fetchone()[0].encode())
    return digest.hexdigest()


def open_problems() -> list[tuple[str, str]]:
    found = Problem.objects.filter(state="open").order_by("kind", "id")
    return [(problem.kind, problem.card.number if problem.card else "") for problem in found]


def test_all_made(made_line: Line) -> None:
    batch = made_line.acknowledged(3)
    report = made_line.take(batch, [line(item) for item in items(batch)])
    assert (report.state, report.lines, numbers(report), report.applied) == (
        "applied",
        3,
        (3, 0, 0, 0, 0, 0),
        3,
    )
    assert report.errors == []
    assert fresh(batch).state == "reconciling"
    assert card_states(batch) == ["made"] * 3
    assert [item.card.chip_uid for item in items(batch)] == [uid(item.card) for item in items(batch)]
    assert {item.made_at for item in items(batch)} == {clock.now()}
    kept = ReturnFile.objects.get()
    assert (kept.state, kept.final, kept.return_number, kept.counts["made"]) == ("applied", True, 1, 3)
    assert Entry.objects.get(action="batch.return").detail["matched"] == 3


def test_every_kind_of_line_at_once(made_line: Line) -> None:
    batch = made_line.acknowledged(6)
    made, failed, missing, twice, altered, numberless = items(batch)
    stranger = line(made).replace(made.card.number, "260000099999"[:11] + "0")
    report = made_line.take(
        batch,
        [
            line(made),
            line(failed, result="02", uid="", text="卡面划伤"),
            line(twice),
            line(twice),
            line(altered, transit="1000750099999999"),
            line(numberless, tong=""),
            stranger,
        ],
    )
    assert (report.lines, numbers(report), report.applied) == (7, (2, 1, 1, 1, 1, 2), 3)
    assert outcomes(batch) == ["matched", "failed", "missing", "matched", "altered", "altered"]
    assert card_states(batch) == ["made", "failed", "ordered", "made", "ordered", "ordered"]
    assert open_problems() == [
        ("altered", altered.card.number),
        ("altered", numberless.card.number),
        ("duplicate", twice.card.number),
        ("missing", missing.card.number),
        ("unknown", ""),
    ]
    assert codes(report) == [
        (5, "LINE_DUPLICATE"),
        (6, "LINE_TRANSIT_NUMBER"),
        (7, "LINE_BEIJING_TONG_NUMBER"),
        (8, "LINE_CARD_NUMBER"),
        (None, "CARD_MISSING"),
    ]
    spoiled = items(batch)[1]
    assert (spoiled.result_code, spoiled.result_text) == ("02", "卡面划伤")
    spoiled.application.refresh_from_db()
    assert spoiled.application.state == cards.ACCEPTED
    assert production.six_numbers(FIRST.scope, batch.id) == (0, 2, 1, 1, 2, 0)
    assert sum(production.six_numbers(FIRST.scope, batch.id)) == batch.card_count
    day = clock.now() - timedelta(hours=12)
    shares = {"complete": (5, 6), "valid": (1, 1), "accurate": (3, 5), "timely": (1, 1)}
    assert QUALITY.taken(day, day + timedelta(days=1)) == {"bureau": shares}
    made_line.take(batch, ["not a line"])
    assert QUALITY.taken(day, day + timedelta(days=1))["bureau"]["valid"] == (1, 2)


def test_a_dry_run_tells_the_same_and_writes_nothing(made_line: Line) -> None:
    batch = made_line.acknowledged(2)
    lines = [line(items(batch)[0])]
    content = signed_return(batch, lines)
    before, entries = footprint(), Entry.objects.count()
    trial = production.import_return(FIRST, content, f"XKR_{batch.number}_1.zip", batch.number, dry_run=True)
    bad = production.import_return(FIRST, content[:-9], "x.zip", batch.number, dry_run=True)
    assert (footprint(), Entry.objects.count()) == (before, entries)
    assert (ReturnFile.objects.count(), Problem.objects.count()) == (0, 0)
    assert (bad.state, bad.errors[0]["code"]) == ("refused", "RETURN_TRUNCATED")
    report = production.import_return(FIRST, content, f"XKR_{batch.number}_1.zip", batch.number)
    assert numbers(trial) == numbers(report)
    assert trial.errors == report.errors
    assert (trial.applied, report.applied) == (0, 1)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"key": OTHER}, "RETURN_SIGNATURE"),
        ({"package_sm3": "0" * 64}, "RETURN_PACKAGE"),
        ({"results": dict.fromkeys(CODES, 1)}, "RETURN_TRAILER"),
        ({"version": "2.0"}, "RETURN_VERSION"),
    ],
)
def test_refused_whole(made_line: Line, changed: dict[str, Any], code: str) -> None:
    batch = made_line.acknowledged(2)
    before = footprint()
    report = made_line.take(batch, [line(item) for item in items(batch)], **changed)
    assert (report.state, report.lines, numbers(report), report.applied) == ("refused", 0, (0,) * 6, 0)
    assert codes(report) == [(None, code)]
    assert footprint() == before
    kept = ReturnFile.objects.get()
    assert (kept.state, kept.refusal_code, kept.batch) == ("refused", code, batch)
    assert open_problems() == [("refused_file", "")]
    assert Problem.objects.get().detail["code"] == code
    assert Entry.objects.get(action="batch.return").result == "refused"


def test_of_another_batch_or_number(made_line: Line) -> None:
    batch, other = made_line.acknowledged(1), made_line.acknowledged(1)
    content = signed_return(batch, [line(items(batch)[0])])
    refused = production.import_return(FIRST, content, "copy of it.zip", other.number)
    assert refused.errors[0]["code"] == "RETURN_BATCH"
    refused = production.import_return(FIRST, content, f"XKR_{batch.number}_2.zip", batch.number)
    assert refused.errors[0]["code"] == "RETURN_NUMBER"
    assert production.import_return(FIRST, content, "renamed.zip", batch.number).applied == 1


def test_a_batch_that_was_never_sent_takes_no_return(made_line: Line) -> None:
    batch = production.lock(FIRST, made_line.batch(1).id)
    report = made_line.take(batch, [line(items(batch)[0])])
    assert codes(report) == [(None, "RETURN_PACKAGE")]
    assert card_states(batch) == ["planned"]


def test_the_same_bytes_twice(made_line: Line) -> None:
    batch = made_line.acknowledged(2)
    lines = [line(items(batch)[0])]
    first = made_line.take(batch, lines)
    before = footprint()
    content = files.read(ReturnFile.objects.get().file)
    again = production.import_return(SECOND, content, f"XKR_{batch.number}_1.zip", batch.number)
    assert (again.state, again.applied, numbers(again)) == ("repeated", 0, numbers(first))
    assert footprint() == before
    assert [kept.state for kept in ReturnFile.objects.all()] == ["repeated", "applied"]
    assert StoredFile.objects.filter(name__startswith="XKR").count() == 1
    assert len(open_problems()) == 1


def test_a_number_taken_before_with_other_bytes(made_line: Line) -> None:
    batch = made_line.acknowledged(2)
    made_line.take(batch, [line(items(batch)[0])])
    report = made_line.take(batch, [line(items(batch)[1])], number=1)
    assert codes(report) == [(None, "RETURN_NUMBER")]
    assert outcomes(batch) == ["matched", "missing"]


def test_the_same_refused_file_again_is_no_new_problem(made_line: Line) -> None:
    batch = made_line.acknowledged(1)
    content = signed_return(batch, [line(items(batch)[0])], key=OTHER)
    for _ in range(2):
        assert production.import_return(FIRST, content, "x.zip", batch.number).state == "refused"
    assert Problem.objects.count() == 1
    assert ReturnFile.objects.count() == 2


def test_a_later_file_brings_what_was_missing_or_altered(made_line: Line) -> None:
    batch = made_line.acknowledged(3)
    first, second, third = items(batch)
    made_line.take(batch, [line(first), line(second, uid="xyz")])
    assert outcomes(batch) == ["matched", "altered", "missing"]
    report = made_line.take(batch, [line(second), line(third, result="01")], number=2)
    assert numbers(report) == (1, 1, 0, 0, 0, 0)
    assert outcomes(batch) == ["matched", "matched", "failed"]
    assert open_problems() == []
    assert {problem.resolution for problem in Problem.objects.all()} == {"settled"}


def test_a_problem_that_changes_its_kind_is_superseded_and_one_that_stays_keeps_its_age(
    made_line: Line,
) -> None:
    batch = made_line.acknowledged(2)
    first, second = items(batch)
    made_line.take(batch, [])
    asked = clock.now()
    with clock.at(asked + timedelta(days=2)):
        made_line.take(batch, [line(first, uid="")], number=2)
        assert sorted(open_problems()) == sorted(
            [("altered", first.card.number), ("missing", second.card.number)]
        )
        [view] = production.problems(FIRST.scope, kind="missing")
        assert view.age == timedelta(days=2)
    resolved = Problem.objects.get(state="resolved")
    assert (resolved.card, resolved.resolution) == (first.card, "superseded")


def test_missing_is_a_problem_only_when_the_bureau_has_finished(made_line: Line) -> None:
    batch = made_line.acknowledged(3)
    report = made_line.take(batch, [line(items(batch)[0])], final=False)
    assert report.missing == 2
    assert outcomes(batch) == ["matched", "pending", "pending"]
    assert open_problems() == []
    assert not production.has_final_return(FIRST.scope, batch.id)
    made_line.take(batch, [line(items(batch)[1])], number=2, final=True)
    assert outcomes(batch) == ["matched", "matched", "missing"]
    assert production.has_final_return(FIRST.scope, batch.id)


def test_a_settled_card_stays_as_it_is(made_line: Line) -> None:
    batch = made_line.acknowledged(2)
    first, second = items(batch)
    made_line.take(batch, [line(first), line(second, result="03", uid="")])
    report = made_line.take(batch, [line(first), line(second), line(first, uid="04000000000009")], number=2)
    assert (report.matched, report.failed) == (0, 0)
    assert report.duplicate + report.altered == 3
    assert outcomes(batch) == ["matched", "failed"]
    assert card_states(batch) == ["made", "failed"]
    assert {kind for kind, _ in open_problems()} == {"altered"}


def test_a_chip_of_another_batch_cannot_be_on_this_card(made_line: Line) -> None:
    before, batch = made_line.acknowledged(1), made_line.acknowledged(2)
    made_line.take(before, [line(items(before)[0])])
    first, second = items(batch)
    report = made_line.take(batch, [line(first, uid=uid(items(before)[0].card)), line(second)])
    assert (numbers(report), report.applied) == ((1, 0, 0, 0, 0, 1), 1)
    assert codes(report) == [(2, "LINE_CHIP_UID_TWICE")]
    assert outcomes(batch) == ["altered", "matched"]


def test_a_card_voided_meanwhile_and_made_all_the_same(made_line: Line) -> None:
    batch = made_line.acknowledged(3)
    kept, gone, spoiled = items(batch)
    cards.void_cards(SECOND, [gone.card_id, spoiled.card_id], "学生已离京", remake=False)
    report = made_line.take(batch, [line(kept), line(gone), line(spoiled, result="05", uid="")])
    assert (numbers(report), report.applied) == ((2, 1, 0, 0, 0, 0), 1)
    assert outcomes(batch) == ["matched", "dropped", "dropped"]
    assert card_states(batch) == ["made", "void", "void"]
    assert open_problems() == [("surplus", gone.card.number)]
    again = made_line.take(batch, [line(gone)], number=2)
    assert numbers(again) == (0, 0, 0, 1, 0, 0)


def test_a_return_before_its_acknowledgement(made_line: Line) -> None:
    batch = made_line.sent(1)
    made_line.bureau.report(batch, [line(items(batch)[0])])
    jobs.poll_bureau()
    assert (fresh(batch).state, the_package(batch).state) == ("reconciling", "sent")
    made_line.bureau.acknowledge(batch)
    jobs.poll_bureau()
    assert (fresh(batch).state, the_package(batch).state) == ("reconciling", "accepted")


def test_a_refusal_after_the_return_contradicts_it(made_line: Line) -> None:
    batch = made_line.sent(1)
    made_line.take(batch, [line(items(batch)[0])])
    made_line.bureau.refuse(batch)
    jobs.poll_bureau()
    assert (fresh(batch).state, the_package(batch).state) == ("reconciling", "sent")
    assert Problem.objects.get().detail["code"] == "ACK_CONTRADICTION"


def test_acknowledgement_and_several_returns_are_taken_in_their_order(made_line: Line) -> None:
    batch = made_line.sent(12)
    places = items(batch)
    for number in range(1, 13):
        made_line.bureau.report(batch, [line(places[number - 1])], number, final=number == 12)
    made_line.bureau.acknowledge(batch)
    jobs.poll_bureau()
    assert outcomes(batch) == ["matched"] * 12
    taken = [found.name.split("_")[2] for found in InboxFile.objects.order_by("id")]
    assert taken == ["1.json", *(f"{number}.zip" for number in range(1, 13))]
    assert {found.outcome for found in InboxFile.objects.all()} == {"acknowledged", "applied"}


def test_a_refused_return_in_the_drop_box_is_taken_once(made_line: Line) -> None:
    batch = made_line.acknowledged(1)
    made_line.bureau.report(batch, [line(items(batch)[0])], key=OTHER)
    jobs.poll_bureau()
    jobs.poll_bureau()
    assert (ReturnFile.objects.get().refusal_code, Problem.objects.count()) == ("RETURN_SIGNATURE", 1)
    made_line.bureau.report(batch, [line(items(batch)[0])], 2)
    jobs.poll_bureau()
    assert outcomes(batch) == ["matched"]


def test_a_return_of_an_unknown_batch_is_kept_and_shown(made_line: Line) -> None:
    batch = made_line.acknowledged(1)
    made_line.bureau.leave("XKR_B99-99999_1.zip", signed_return(batch, []))
    jobs.poll_bureau()
    kept = ReturnFile.objects.get()
    assert (kept.batch, kept.state, kept.refusal_code) == (None, "refused", "RETURN_BATCH")
    [view] = production.problems(FIRST.scope)
    assert (view.problem.kind, view.problem.batch) == ("refused_file", None)
    production.resolve_problem(FIRST, view.problem.id, "noted", "卡厂发错")


def test_who_may_take_a_return(made_line: Line) -> None:
    batch = made_line.acknowledged(1)
    with pytest.raises(Forbidden):
        production.import_return(DISTRICT, b"", "x", batch.number)
    with pytest.raises(NotFound):
        production.import_return(FIRST, b"", "x", "B00-00000")


def _mutate(random: random.Random, lines: list[str]) -> list[str]:
    """One defect that keeps the file sound as a whole."""
    place = random.randrange(len(lines))
    kind = random.choice(["drop", "repeat", "digit", "result", "uid", "swap", "cut"])
    fields = lines[place].split("|")
    if len(fields) < 9 or kind == "drop":
        return lines[:place] + lines[place + 1 :]
    if kind == "repeat":
        return [*lines, lines[place]]
    if kind == "digit":
        fields[3] = fields[3][:-1] + str((int(fields[3][-1]) + random.randint(1, 9)) % 10)
    elif kind == "result":
        fields[6] = random.choice(["01", "02", "03", "04", "05", "06", "xx", ""])
    elif kind == "uid":
        fields[5] = random.choice(["", "04", fields[5].lower() + "zz", "ZZZZZZZZ"])
    elif kind == "swap":
        fields[2] = lines[(place + 1) % len(lines)].split("|")[2]
    else:
        fields = fields[: random.randint(3, 8)]
    return [*lines[:place], "|".join(fields), *lines[place + 1 :]]


def test_mutated_and_signed_again_every_card_stays_accounted_for(made_line: Line) -> None:
    """Whatever lines say, the six numbers add up, and no card moves that its line does not vouch for."""
    batch = made_line.acknowledged(6)
    sound = {item.card.number: line(item) for item in items(batch)}
    dice = random.Random(20260907)
    for _ in range(dial(40, 1000)):
        mutated = list(sound.values())
        for _ in range(dice.randint(1, 4)):
            mutated = _mutate(dice, mutated) if mutated else mutated
        with transaction.atomic():
            report = made_line.take(batch, mutated)
            assert report.state == "applied"
            assert report.lines == len(mutated)
            assert report.lines == sum(numbers(report)) - report.missing
            assert sum(production.six_numbers(FIRST.scope, batch.id)) == 6
            for item in items(batch):
                said = [text for text in mutated if text.split("|")[2:3] == [item.card.number]]
                if item.outcome == "matched":
                    assert sound[item.card.number] in said
                assert (item.card.state == "made") == (item.outcome == "matched")
                assert (item.card.state == "failed") == (item.outcome == "failed")
            transaction.set_rollback(True)
