"""What an interface says of itself: its schema for programs, and that schema as a page for people."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from ninja import NinjaAPI, Schema
from ninja.openapi.schema import OpenAPISchema

from xueka.entrypoints.rest.problems import MEDIA_TYPE
from xueka.entrypoints.rest.versions import Deprecation

_JSON = "application/json"
_ANYWHERE = (400, 401, 403, 404, 405, 409, 413, 422, 429, 503)


class Problem(Schema):
    """What every refusal looks like."""

    status: int
    code: str
    title: str
    detail: str
    where: str | None = None
    found: Any = None
    expected: Any = None


def refusals(*further: int) -> dict[int, type[Problem]]:
    """The statuses by which any operation refuses, and further ones of its own."""
    return dict.fromkeys(sorted({*_ANYWHERE, *further}), Problem)


class DescribedAPI(NinjaAPI):
    """An interface whose schema tells the media types that it really answers with: refusals are problems, and
    an operation's own type (`answers`) stands instead of JSON, not beside it. What is on its way out
    (`deprecations`) is marked.
    """

    deprecations: Mapping[str, Deprecation] = MappingProxyType({})

    def get_openapi_schema(self, **arguments: Any) -> OpenAPISchema:
        schema = super().get_openapi_schema(**arguments)
        for methods in schema["paths"].values():
            for told in methods.values():
                if ends := self.deprecations.get(told["operationId"]):
                    told |= {"deprecated": True, "description": ends.words}
        answers = [
            (int(status), answer["content"])
            for methods in schema["paths"].values()
            for told in methods.values()
            for status, answer in told["responses"].items()
            if "content" in answer
        ]
        for status, content in answers:
            if status >= 400 and _JSON in content:
                content[MEDIA_TYPE] = content.pop(_JSON)
            elif len(content) > 1:
                content.pop(_JSON, None)
        return schema


def answers(media_type: str) -> dict[str, Any]:
    """`openapi_extra` of an operation that answers 200 with a text of this type."""
    kind = media_type.split(";", maxsplit=1)[0]
    return {"responses": {200: {"content": {kind: {"schema": {"type": "string"}}}}}}


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
