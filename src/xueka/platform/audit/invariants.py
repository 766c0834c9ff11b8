"""The audit chain as one line of `xueka verify`."""

from xueka.platform.audit import verification
from xueka.platform.invariants import InvariantResult

NAME = "audit_chain_unbroken"


def audit_chain() -> InvariantResult:
    """Reads the whole chain; `checked` counts links and waiting entries."""
    report = verification.verify()
    return InvariantResult(
        NAME,
        "审计链完整：没有改动、删除、插入、调换和截断",
        report.checked,
        report.violated,
        [problem.message for problem in report.problems[:5]],
    )
