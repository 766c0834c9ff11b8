"""What somebody else wrote, as JSON: answers, pushes, files, marks in addresses."""

import json
from typing import Any


def json_of(text: bytes | str) -> Any:
    """Raises ValueError for what is no JSON, also for what is nested so deeply that Python gives up on it:
    that one is a RecursionError, which nobody who reads an answer thinks of.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
