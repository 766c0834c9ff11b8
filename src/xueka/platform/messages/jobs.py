"""The sweeps of the outbox."""

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from xueka.platform.jobs.sweeps import every
from xueka.platform.messages import hearing, sending
from xueka.platform.messages.ports import Gateway


@every(2, "messages.send")
def send_messages() -> None:
    """Send what waits, ask about what was sent. Without a gateway everything waits until its time is up."""
    with transaction.atomic():
        sending.give_up_late()
    gateway: Gateway | None = import_string(settings.MESSAGE_GATEWAY)()
    if gateway is not None:
        sending.send_due(gateway)
        sending.ask_due(gateway)


@every(10, "messages.replies")
def fetch_replies() -> None:
    gateway: Gateway | None = import_string(settings.MESSAGE_GATEWAY)()
    if gateway is not None:
        hearing.fetch_replies(gateway)


@every(59, "messages.forget")
def forget_messages() -> None:
    with transaction.atomic():
        sending.empty_old()
