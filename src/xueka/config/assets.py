"""Static files: gathered once, again only when one of them has changed."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.core.management import call_command


def collect_if_changed() -> None:
    """Fill STATIC_ROOT with named-by-content, compressed copies, unless they are up to date."""
    stamp = settings.STATIC_ROOT / ".collected"
    present = _fingerprint()
    if stamp.exists() and stamp.read_text("ascii") == present:
        return
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    stamp.write_text(present, "ascii")


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for path in sorted(_sources()):
        status = path.stat()
        digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _sources() -> Iterator[Path]:
    yield settings.NODE_MODULES / ".package-lock.json"
    for folder in settings.SOURCE.rglob("static"):
        yield from (path for path in folder.rglob("*") if path.is_file())
