"""The sweeps of the mails."""

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from xueka.platform.jobs.sweeps import every
from xueka.platform.mail import sending
from xueka.platform.mail.ports import Transport


@every(5, "mail.send")
def send_mails() -> None:
    """Send what waits. Without a mail server everything waits until its time is up."""
    with transaction.atomic():
        sending.give_up_late()
    transport: Transport | None = import_string(settings.MAIL_TRANSPORT)()
    if transport is not None:
        sending.send_due(transport)


@every(59, "mail.forget")
def forget_mails() -> None:
    with transaction.atomic():
        sending.empty_old()
