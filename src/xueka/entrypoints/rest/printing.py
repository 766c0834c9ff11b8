"""Print jobs on their way to an agent; what they are belongs to contexts/printing."""

from typing import Any

from xueka.contexts.personalization import api as personalization
from xueka.entrypoints.rest.agent_problems import Problem


def next_print_work(agent: personalization.Agent) -> dict[str, Any] | None:
    """The next job of this agent's printers."""
    return None


def report_print(agent: personalization.Agent, job: str, state: str, message: str) -> str:
    """Pass on what became of a job. Raises Problem 404 `JOB_UNKNOWN`."""
    raise Problem(404, "JOB_UNKNOWN", "没有这个打印任务。")
