"""Who the welfare-card platform is."""

from xueka.kernel.errors import XuekaError
from xueka.platform.exchange.counterparts import Counterpart, counterpart

CODE = "welfare"


def partner() -> Counterpart | None:
    """The platform, if it has handed over its file."""
    try:
        return counterpart(CODE)
    except XuekaError:
        return None
