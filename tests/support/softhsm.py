"""A PKCS#11 token of SoftHSM in a folder of the test run's own."""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.parts import require

PIN = "1234"
LABEL = "xueka test"
_LIBRARIES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)


def library() -> str:
    """Where SoftHSM is; required."""
    found = next((path for path in _LIBRARIES if Path(path).exists()), "")
    missing = [] if found and shutil.which("softhsm2-util") else ["the system package softhsm2"]
    if importlib.util.find_spec("PyKCS11") is None:
        missing.append("PyKCS11 (the extra [card])")
    require("SoftHSM", missing)
    return found


@pytest.fixture(scope="session")
def softhsm_token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Path]]:
    """Library, token label and PIN file. One token a process: the module reads its folder only once."""
    found = library()
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    settings = folder / "softhsm2.conf"
    settings.write_text(
        f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    os.environ["SOFTHSM2_CONF"] = str(settings)
    words = [
        "softhsm2-util",
        "--init-token",
        "--free",
        "--label",
        LABEL,
        "--so-pin",
        "87654321",
        "--pin",
        PIN,
    ]
    subprocess.run(words, check=True, capture_output=True)
    pin = folder / "pin"
    pin.write_text(PIN + "\n")
    pin.chmod(0o600)
    yield found, LABEL, pin
    del os.environ["SOFTHSM2_CONF"]
