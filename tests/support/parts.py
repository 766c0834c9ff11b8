"""Parts of the machine that a test needs: without them it is skipped; where all must be there, it fails."""

import os
from collections.abc import Sequence

import pytest


def require(what: str, missing: Sequence[str]) -> None:
    """Skip `what` for the parts in `missing`, each named with its package; in CI that is a failure.

    Works at the head of a module as well: then the whole of it is skipped.
    """
    if not missing:
        return
    text = f"{what} needs {', '.join(missing)}"
    if os.environ.get("CI", "").lower() in {"true", "1"}:
        pytest.fail(text)
    pytest.skip(text, allow_module_level=True)
