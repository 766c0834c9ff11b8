import pytest

from tests.support.machines import assert_every_pair, random_walk
from xueka.kernel.errors import Refused
from xueka.kernel.machine import Machine, State, Transition

STATES = [
    State("draft", "草稿"),
    State("district", "待区级审核"),
    State("city", "待市级审核"),
    State("accepted", "已受理", final=True),
    State("refused", "不予受理", final=True),
]
ROWS = [
    Transition("submit", "draft", "district", "school:application:submit", "提交"),
    Transition("approve", "district", "city", "district:application:review", "通过", "另有市级审核"),
    Transition("approve", "district", "accepted", "district:application:review", "通过", "最后一级"),
    Transition("approve", "city", "accepted", "city:application:review", "通过"),
    Transition("send_back", "district", "draft", "district:application:review", "退回"),
    Transition("send_back", "city", "draft", "city:application:review", "退回"),
    Transition("refuse", "city", "refused", "city:application:review", "不予受理"),
]


def machine(states=STATES, rows=ROWS, initial="draft") -> Machine:
    return Machine("application", "申领", initial, states, rows)


def test_every_pair_of_event_and_state():
    subject = machine()
    assert assert_every_pair(subject, subject.target) == (6, 14)


def test_the_helper_notices_a_machine_that_disagrees_with_its_table():
    subject = machine()
    lax = machine(rows=[*ROWS, Transition("refuse", "district", "refused", "p", "不予受理")])
    with pytest.raises(AssertionError, match="refuse in district was not refused"):
        assert_every_pair(subject, lax.target)
    with pytest.raises(AssertionError, match="submit in draft led to city"):
        assert_every_pair(subject, lambda event, state, to: "city")
    with pytest.raises(AssertionError, match="moved the object"):
        assert_every_pair(subject, subject.target, still=lambda: "elsewhere")


def test_random_walks_stay_on_the_table():
    subject = machine()
    ends = set()
    for seed in range(300):
        seen: list[str] = [subject.initial]
        moves = random_walk(subject, seed, 40, subject.target, check=lambda state, _, s=seen: s.append(state))
        assert all(move[2] in subject.targets(*move[:2]) for move in moves)
        assert moves == random_walk(subject, seed, 40, subject.target)
        ends.add(seen[-1])
    assert {"accepted", "refused"} <= ends


def test_a_refusal_names_machine_state_and_event_in_the_users_words():
    with pytest.raises(Refused) as caught:
        machine().target("submit", "city")
    error = caught.value
    assert error.code == "TRANSITION_NOT_ALLOWED"
    assert error.message == "申领当前状态为“待市级审核”，不能执行“提交”。"
    assert error.as_dict()["found"] == "待市级审核"
    assert error.as_dict()["expected"] == "草稿"
    assert error.as_dict()["action"] == "现在可以执行：通过、退回、不予受理。"
    assert error.detail == {"machine": "application", "event": "submit", "state": "city"}


def test_a_final_state_says_so():
    with pytest.raises(Refused) as caught:
        machine().target("submit", "accepted")
    assert caught.value.action == "该状态已是终态，不能再变更。"


def test_where_there_is_a_choice_the_caller_makes_it():
    subject = machine()
    assert subject.targets("approve", "district") == ("city", "accepted")
    assert subject.target("approve", "district", "city") == "city"
    with pytest.raises(ValueError, match="say which"):
        subject.target("approve", "district")
    with pytest.raises(Refused, match="到“不予受理”"):
        subject.target("approve", "district", "refused")


@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.targets("publish", "draft"),
        lambda m: m.target("submit", "nowhere"),
        lambda m: m.target("submit", "draft", "nowhere"),
        lambda m: m.events("nowhere"),
        lambda m: m.sources("publish"),
        lambda m: m.permission("publish"),
        lambda m: m.event_label("publish"),
    ],
)
def test_unknown_names_are_programming_mistakes(call):
    with pytest.raises(ValueError, match="unknown"):
        call(machine())


def test_questions():
    subject = machine()
    assert subject.events("district") == ("approve", "send_back")
    assert subject.events("accepted") == ()
    assert subject.sources("send_back") == ("district", "city")
    assert subject.allows("submit", "draft") and not subject.allows("submit", "city")
    assert subject.state_codes == ("draft", "district", "city", "accepted", "refused")
    assert subject.event_codes == ("submit", "approve", "send_back", "refuse")
    assert subject.choices[0] == ("draft", "草稿")
    assert subject.event_label("approve") == "通过"


def test_permissions_may_depend_on_the_state():
    subject = machine()
    assert subject.permission("submit") == "school:application:submit"
    assert subject.permission("approve", "city") == "city:application:review"
    with pytest.raises(ValueError, match="depends on the state"):
        subject.permission("approve")
    with pytest.raises(Refused):
        subject.permission("approve", "draft")


@pytest.mark.parametrize(
    ("states", "rows", "initial", "complaint"),
    [
        ([*STATES, STATES[0]], ROWS, "draft", "used twice"),
        (STATES, ROWS, "nowhere", r"unknown states \['nowhere'\]"),
        (STATES, [*ROWS, Transition("x", "draft", "lost", "p", "某")], "draft", r"unknown states \['lost'\]"),
        (STATES, [*ROWS, ROWS[0]], "draft", "duplicate transitions"),
        (STATES, [*ROWS, Transition("submit", "city", "draft", "p", "别名")], "draft", "more than one label"),
        (STATES, [*ROWS, Transition("undo", "refused", "draft", "p", "撤")], "draft", "left again"),
        (STATES, ROWS[:3] + ROWS[4:5], "draft", "dead end"),
        (STATES, ROWS, "city", None),
        ([*STATES, State("island", "孤岛", final=True)], ROWS, "draft", r"unreachable states \['island'\]"),
        (
            [*STATES, State("here", "甲"), State("there", "乙")],
            [
                *ROWS,
                Transition("go", "here", "there", "p", "去"),
                Transition("go", "there", "here", "p", "去"),
            ],
            "draft",
            r"unreachable states \['here', 'there'\]",
        ),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(states, rows, initial, complaint):
    if complaint is None:
        assert machine(states, rows, initial).initial == initial
        return
    with pytest.raises(ValueError, match=complaint):
        machine(states, rows, initial)


def test_diagram_and_matrix_show_every_row():
    subject = machine()
    lines = subject.diagram().splitlines()
    assert lines[0] == "stateDiagram-v2"
    assert '    state "待区级审核" as district' in lines
    assert "    [*] --> draft" in lines
    assert "    district --> city: 通过 [另有市级审核]" in lines
    assert "    accepted --> [*]" in lines and "    city --> [*]" not in lines
    assert sum(" --> " in line and "[*]" not in line for line in lines) == len(ROWS)
    assert subject.matrix()[1] == {
        "event": "approve",
        "event_label": "通过",
        "source": "district",
        "source_label": "待区级审核",
        "target": "city",
        "target_label": "待市级审核",
        "permission": "district:application:review",
        "guard": "另有市级审核",
    }
    assert len(subject.matrix()) == len(ROWS)
