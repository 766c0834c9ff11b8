"""What the services share: finding under a scope, who acts for an agent."""

from typing import TypeVar

from django.db import models

from xueka.contexts.personalization.models import Agent
from xueka.kernel.errors import NotFound
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.permissions import ROLES
from xueka.platform.identity.scope import EVERYWHERE

Row = TypeVar("Row", bound=models.Model)


def acting(agent: Agent, address: str = "") -> Actor:
    """The agent as an actor: what it reports moves sessions and cards, but only those that it was given."""
    return Actor(
        f"agent:{agent.code}",
        agent.name,
        "system",
        EVERYWHERE,
        address=address,
        permissions=ROLES["system"].permissions,
    )


def locked(found: models.QuerySet[Row], called: str, code: str) -> Row:
    """The one row, locked. Raises NotFound `code`."""
    row = found.select_for_update(of=("self",)).first()
    if row is None:
        raise NotFound(code, f"没有这{called}。", action="请刷新页面后再试。")
    return row
