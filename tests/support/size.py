"""How much work the long tests do: little by default, everything with XUEKA_TEST_SIZE=full."""

import os
from typing import TypeVar

Amount = TypeVar("Amount")


def dial(small: Amount, full: Amount) -> Amount:
    """`small`, or `full` when XUEKA_TEST_SIZE is `full`; any other setting is a mistake."""
    setting = os.environ.get("XUEKA_TEST_SIZE", "small")
    return {"small": small, "full": full}[setting]
