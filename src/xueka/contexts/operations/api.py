"""Running the programme: what must hold, and what waits where. The only door into this context."""

from xueka.contexts.operations.verify import INVARIANTS, verify

__all__ = ["INVARIANTS", "verify"]
