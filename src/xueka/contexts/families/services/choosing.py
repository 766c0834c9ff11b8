"""The family chooses whether its phone gets reminders. Codes, receipts and decisions come in any case."""

from datetime import datetime

from xueka.contexts.families.models import FamilyAccount
from xueka.contexts.families.services.sessions import Family
from xueka.platform.audit.services import record
from xueka.platform.crypto.fields import unseal
from xueka.platform.messages import opting


def reminders_refused(family: Family) -> datetime | None:
    """Since when this phone wants no reminders; None where it gets them."""
    found = opting.of_family(_phone(family))
    return found.at if found else None


def choose_reminders(family: Family, *, wanted: bool) -> None:
    """Kept with the time, the way and the text that was agreed to."""
    opting.choose(_phone(family), reminders=wanted)
    detail = {"result": "恢复" if wanted else "退订"}
    record(family.actor, "family.reminders", "family_account", family.account_id, detail=detail)


def _phone(family: Family) -> str:
    account = FamilyAccount.objects.get(pk=family.account_id)
    return str(unseal(bytes(account.envelope))["phone"])
