"""Every act under two people asks the one rule of the house who its second person is."""

import ast

from django.apps import apps
from django.db.models import CheckConstraint

from tests.architecture.source import modules

#: Where the rule is asked → what its second person does. A new one comes in here, and gets a test of its own
#: that begins and ends it as one person.
ACTS = {
    "closing.services.closing.sign": "signs a week",
    "identity.requests.confirm": "grants a role of the city",
    "keys.services.ceremonies.run": "reviews a ceremony",
    "keys.services.changes._second": "confirms or refuses a change of keys",
    "keys.services.deliveries._another": "confirms that a key arrived, or did not",
    "multiapp.services.common.another": "approves grants and their changes, signs stock-takes, settles risks",
    "personalization.services.reviewing._not_submitter": "approves card profiles and partners' scripts",
    "production.services.card_keys.confirm_delivery": "confirms how keys reach the bureau",
    "production.services.ordering.approve": "approves a batch",
    "production.services.partners.confirm_partner": "confirms a bureau's keys",
    "repairs.services.repairing._other_than": "applies and undoes repairs",
    "reporting.services.exporting.approve_export": "approves a personal export",
    "schoolyear.services.jobs.confirm_job": "confirms a job of the whole city",
    "takeover.services.comparing.sign": "signs what differs after a take-over",
    "takeover.services.taking_back.approve_back": "agrees that a take-over goes back",
    "takeover.services.taking_in.approve": "agrees that a take-over is loaded",
    "treasury.services.reconciling.sign_off": "signs a break",
}
#: Constraints between two people that stand on paper, or that another constraint's act fills.
ON_PAPER = {"numbers_handover_two_people", "numbers_counter_slip_two_people"}
#: What one's own act is asked about, not a second person's.
OWN = {
    "cards.domain.reviewing.judge",  # levels of office; who submits does not review
    "keys.services.changes.withdraw",
    "reporting.services.exporting.download_export",
    "reporting.services.exporting.reject_export",  # her own she withdraws
    "reporting.services.exporting.withdraw_export",
}


def test_every_act_under_two_people_is_known_and_asks_the_rule() -> None:
    assert _calling("second_person") == set(ACTS)


def test_nobody_compares_people_on_her_own() -> None:
    """`entered_by == actor.username` beside the rule lets the operating-system user be the second person."""
    assert _comparing() - OWN == set()


def test_every_constraint_of_two_people_has_its_act() -> None:
    found = {
        constraint.name.partition("_")[0]
        for model in apps.get_models()
        for constraint in model._meta.constraints
        if isinstance(constraint, CheckConstraint) and "two_people" in constraint.name
        if constraint.name not in ON_PAPER
    }
    assert {"keys", "repairs", "takeover", "multiapp"} <= found
    assert found <= {name.partition(".")[0] for name in ACTS}


def _functions() -> list[tuple[str, ast.FunctionDef]]:
    return [
        (f"{module.name.removeprefix(f'{under}.')}.{node.name}", node)
        for under in ("xueka.contexts", "xueka.platform")
        for module in modules(under)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef) and node.name != "second_person"
    ]


def _calling(name: str) -> set[str]:
    return {
        where
        for where, node in _functions()
        for each in ast.walk(node)
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id == name
    }


def _comparing() -> set[str]:
    """Functions that compare a column `…_by` with a user name."""
    return {
        where
        for where, node in _functions()
        for each in ast.walk(node)
        if isinstance(each, ast.Compare) and isinstance(each.ops[0], ast.Eq | ast.NotEq)
        for words in [{ast.unparse(side) for side in (each.left, *each.comparators)}]
        if any(word.endswith("username") for word in words)
        if any("_by" in word for word in words)
    }
