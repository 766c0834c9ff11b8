"""Every address of the site; each portal brings its own."""

import importlib.util

from django.urls import URLPattern, URLResolver, include, path

_PORTALS = {
    "": "xueka.entrypoints.portals.common.urls",
    "city/": "xueka.entrypoints.portals.city.urls",
    "district/": "xueka.entrypoints.portals.district.urls",
    "school/": "xueka.entrypoints.portals.school.urls",
}


def _present(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


urlpatterns: list[URLPattern | URLResolver] = [
    path(prefix, include(module)) for prefix, module in _PORTALS.items() if _present(module)
]
