"""Running the programme: what must hold, and what went of a card with the outside. The only door into this
context.
"""

from xueka.contexts.operations.queries import COURIER, FILE, MESSAGE, MOST, Beside, Step, Traced, trace
from xueka.contexts.operations.verify import INVARIANTS, verify

__all__ = ["COURIER", "FILE", "INVARIANTS", "MESSAGE", "MOST", "Beside", "Step", "Traced", "trace", "verify"]
