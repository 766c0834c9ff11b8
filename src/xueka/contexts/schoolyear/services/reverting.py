"""A OneRoster run is taken back only after the exchanges that were prepared because of it."""

from django.db.models import QuerySet

from xueka.contexts.registry import api as registry
from xueka.contexts.schoolyear.domain.rules import EXCHANGE
from xueka.contexts.schoolyear.domain.transitions import CANCELLED, TAKEN_BACK
from xueka.contexts.schoolyear.models import Job
from xueka.kernel.errors import Refused
from xueka.platform.identity.actor import Actor


def jobs_of_run(run_id: int) -> QuerySet[Job]:
    """Exchanges that rest on a run and have not been taken back, the latest first."""
    rest = Job.objects.filter(kind=EXCHANGE, parameters__of_run=run_id)
    return rest.exclude(state__in=[CANCELLED, TAKEN_BACK]).order_by("-id")


def revert_run(actor: Actor, run_id: int, *, preview: bool = False) -> registry.Reverted:
    """As `registry.revert_run`; Refused `IMPORT_DEPENDENT` while exchanges rest on the run."""
    if later := jobs_of_run(run_id).first():
        raise Refused(
            "IMPORT_DEPENDENT",
            f"换卡准备 {later.number} 建立在这次导入之上。",
            found=later.number,
            action=f"请先撤回或取消 {later.number}。",
        )
    return registry.revert_run(actor, run_id, preview=preview)
