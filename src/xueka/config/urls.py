"""Every address of the site; each portal brings its own (`urls`) under its name."""

import importlib.util

from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path

AT_THE_ROOT = {"common", "objects"}  # log-in and search; students, cards, boxes …, which several roles share

handler500 = "xueka.entrypoints.portals.common.failures.server_error"
urlpatterns: list[URLPattern | URLResolver] = [
    path("api/", include("xueka.entrypoints.rest.urls")),
    *(
        path("" if name in AT_THE_ROOT else f"{name}/", include(f"xueka.entrypoints.portals.{name}.urls"))
        for name in settings.PORTALS
        if importlib.util.find_spec(f"xueka.entrypoints.portals.{name}.urls")
    ),
]
