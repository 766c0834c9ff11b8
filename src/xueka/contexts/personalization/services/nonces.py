"""Each nonce of an agent once, whichever process sees it."""

from django.db import connection

from xueka.contexts.personalization.models import Agent
from xueka.kernel import clock


def use_nonce(agent: Agent, nonce: str) -> bool:
    """Whether it is used for the first time."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO personalization_nonce (agent_id, nonce, at) VALUES (%s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            [agent.pk, nonce, clock.now()],
        )
        return cursor.rowcount == 1
