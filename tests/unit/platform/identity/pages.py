"""Addresses beside the real ones, for tests of log-in, sessions and the edge."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views import View

from xueka.kernel.errors import NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.identity.web import portal_view


@portal_view("school:card:read")
def read(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.actor.username} {request.actor.role} {request.actor.scope}")


@portal_view("school:card:report_lost")
def write(request: HttpRequest, ending: str) -> HttpResponse:
    record(request.actor, "test.write")
    if ending == "refused":
        raise Refused("TEST_REFUSED", "不可以。")
    if ending == "stranger":
        raise NotFound("CARD_NOT_FOUND", "没有这张卡。")
    return HttpResponse(status=422 if ending == "form" else 200)


@portal_view("city:audit:read")
class Audit(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("audit")


@portal_view()
def anyone(request: HttpRequest) -> HttpResponse:
    return HttpResponse("here")


urlpatterns = [
    path("test/read/", read),
    path("test/write/<str:ending>/", write),
    path("test/audit/", Audit.as_view()),
    path("test/anyone/", anyone),
    path("", include("xueka.config.urls")),
]
