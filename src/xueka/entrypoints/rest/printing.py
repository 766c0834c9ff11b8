"""Print jobs on their way to an agent and back; what they are belongs to contexts/printing."""

import base64
from collections.abc import Sequence
from typing import Any

from xueka.contexts.personalization import api as personalization
from xueka.contexts.printing import api as printing


def hear(agent: personalization.Agent, printers: Sequence[dict[str, str]]) -> None:
    """What the agent says of its printers."""
    printing.hear(agent.code, printers)


def next_print_work(agent: personalization.Agent) -> dict[str, Any] | None:
    """The next job of this agent's printers."""
    job = printing.next_job(agent.code)
    if job is None:
        return None
    return {
        "kind": "print",
        "job": str(job.job),
        "printer": job.printer,
        "media_type": job.media_type,
        "document": base64.b64encode(job.document).decode("ascii"),
        "copies": job.copies,
        "title": job.title,
    }


def report_print(agent: personalization.Agent, job: str, state: str, message: str) -> str:
    """Pass on what became of a job. Raises NotFound `JOB_UNKNOWN`."""
    return printing.report(agent.code, job, state, message)
