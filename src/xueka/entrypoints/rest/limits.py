"""The outermost edge of the machine interfaces: no cookies, no forms, bodies of a limited size."""

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from xueka.entrypoints.rest.problems import problem

LARGEST = 64 * 1024

View = Callable[..., HttpResponse]


def machine_view(view: View) -> View:
    """For requests that prove themselves by a signature instead of a session: CSRF has no place there."""

    @csrf_exempt
    @wraps(view)
    def limited(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdigit() or int(length) > LARGEST:
            return problem(
                413, "BODY_TOO_LARGE", "请求太大。", f"一次请求最多 {LARGEST // 1024} KB。", limit=LARGEST
            )
        answer = view(request, *args, **kwargs)
        if answer.status_code == 405 and "json" not in answer.get("Content-Type", ""):
            allowed = answer.get("Allow", "")
            return problem(
                405,
                "METHOD_WRONG",
                f"这个地址只接受 {allowed}。",
                "请对照接口说明核对方法。",
                headers={"Allow": allowed},
                found=request.method,
                expected=allowed,
            )
        return answer

    return limited


@csrf_exempt
def unknown_address(request: HttpRequest) -> HttpResponse:
    """Whatever lies below a machine interface and is none of its addresses, told as all refusals are."""
    return problem(
        404,
        "ADDRESS_UNKNOWN",
        "接口没有这个地址。",
        "请对照接口说明核对地址和版本。",
        found=request.path[:200],
    )
