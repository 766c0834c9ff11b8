"""By when a transfer is to be answered."""

from datetime import date

from django.conf import settings

from xueka.kernel import clock
from xueka.kernel.calendar import Calendar
from xueka.kernel.errors import XuekaError


def due_on() -> date | None:
    """The last working day of the term that begins today; None where the calendar does not reach so far.

    A transfer must not fail because the State Council's notice of the next year is still to come.
    """
    try:
        return Calendar.default().add_working_days(clock.today(), settings.REGISTRY_TRANSFER_DAYS)
    except XuekaError as error:
        if error.code != "CALENDAR_YEAR_MISSING":
            raise
        return None
