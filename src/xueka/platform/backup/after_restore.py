"""What follows when the rows are back: the shape of this version, and a record of who restored what."""

from django.db import connection, connections, transaction

from xueka.platform.audit import chain
from xueka.platform.audit import services as audit
from xueka.platform.backup import services
from xueka.platform.database import migrate
from xueka.platform.identity.actor import Actor


def settle(os_user: str, made_at: str) -> None:
    """Migrate, grant, give up what was under way at the moment of the backup, and say so in the audit log.

    Sessions end: whoever was logged in at that moment logs in anew.
    """
    migrate.prepare()
    actor = Actor.command_line(os_user)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_session")
        services.give_up_abandoned(actor)
        audit.record(actor, "backup.restore", "backup", "", detail={"made_at": made_at})
    chain.seal()
    connections.close_all()  # the server may stop and start before the next look
