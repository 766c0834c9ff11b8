"""An interface as a page for people: everything on it comes from the schema, nothing from outside."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from ninja import NinjaAPI


def page(api: NinjaAPI) -> Callable[[HttpRequest], HttpResponse]:
    """The view that shows this interface."""

    @require_safe
    def docs(request: HttpRequest) -> HttpResponse:
        schema = api.get_openapi_schema()
        calls = [
            {"method": method.upper(), "path": path, **told}
            for path, methods in schema["paths"].items()
            for method, told in methods.items()
        ]
        return render(request, "common/partner_api.html", {"schema": schema, "calls": calls})

    return docs
