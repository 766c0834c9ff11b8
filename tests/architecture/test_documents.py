"""Documents that are printed from the code are what the code prints today."""

import re
from pathlib import Path

from xueka.entrypoints.cli import docs_commands

ROOT = Path(__file__).resolve().parents[2]


def test_the_state_tables_in_the_docs_are_those_of_the_code() -> None:
    written = (ROOT / "docs/states.md").read_text("utf-8")
    assert written == docs_commands.render(), "run: python3 run.py docs states > docs/states.md"


def test_every_picture_of_the_manual_is_there_and_used() -> None:
    manual = ROOT / "docs/manual"
    text = "".join(page.read_text("utf-8") for page in manual.glob("*.md"))
    pictures = {path.name for path in (manual / "images").glob("*.png")}
    missing = {name for name in _named(text) if name not in pictures}
    assert not missing
    assert not {name for name in pictures if name not in text}


def test_every_setting_is_explained() -> None:
    """Variables of the tests and of other programs are not settings."""
    text = "".join(path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))
    used = set(re.findall(r'"(XUEKA_[A-Z0-9_]*[A-Z0-9])"', text)) - {
        "XUEKA_TEST_HOME",
        "XUEKA_CITY",
        "XUEKA_TEST",
    }
    told = set(re.findall(r"`(XUEKA_[A-Z0-9_]*[A-Z0-9])`", (ROOT / "docs/settings.md").read_text("utf-8")))
    assert used == told


def _named(text: str) -> set[str]:
    return {part.split(")")[0] for part in text.split("](images/")[1:]}
