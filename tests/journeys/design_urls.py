"""The common pages and the style guide, with the error pages at addresses of their own."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path

ERRORS = ("400", "403", "403_csrf", "404", "500", "503")


def error(request: HttpRequest, name: str) -> HttpResponse:
    return render(request, f"{name}.html")


def locked(request: HttpRequest) -> HttpResponse:
    return render(request, "common/locked.html", {"username": "laoshi", "failure_limit": 5})


urlpatterns = [
    path("", include("xueka.entrypoints.portals.common.urls")),
    path("_design/", include("xueka.entrypoints.portals.common.styleguide.urls")),
    path("_error/locked/", locked),
    path("_error/<str:name>/", error),
]
