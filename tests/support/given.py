"""The sample files that lie beside the checkout."""

from pathlib import Path

from tests.support.parts import require

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def given_files() -> Path:
    """Their folder; without it the test is skipped, and in CI fails."""
    require("a test of the sample files", [] if DATA.is_dir() else [str(DATA)])
    return DATA
