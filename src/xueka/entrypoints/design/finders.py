"""The files of npm packages that pages load, and no others."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

#: address below STATIC_URL → file below node_modules
VENDOR = {
    "vendor/tabler.min.css": "@tabler/core/dist/css/tabler.min.css",
    "vendor/tabler.min.css.map": "@tabler/core/dist/css/tabler.min.css.map",
    "vendor/htmx.min.js": "htmx.org/dist/htmx.min.js",
    "vendor/echarts.mjs": "echarts/dist/echarts.esm.min.mjs",
}


class _Vendor(FileSystemStorage):
    """node_modules seen under the names of VENDOR."""

    prefix = ""

    def path(self, name: str) -> str:
        return super().path(VENDOR[name])


class VendorFinder(BaseFinder):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.root = Path(settings.NODE_MODULES)
        self.storage = _Vendor(location=str(self.root))

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        source = self.root / VENDOR[path] if path in VENDOR else None
        if source is None or not source.is_file():
            return [] if find_all else None
        return [str(source)] if find_all else str(source)

    def check(self, **kwargs: Any) -> list[Any]:
        return []

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, FileSystemStorage]]:
        for name in VENDOR:
            yield name, self.storage
