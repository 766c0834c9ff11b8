"""What of an interface is on its way out, in one table, and how its answers say so (RFC 9745, RFC 8594).

The rule is written in docs/interfaces/partner-api.md §10. Whoever declares an operation here changes
nothing of what it does: every answer of it carries the headers, refusals too, and the schema says it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import wraps
from types import MappingProxyType

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import http_date

from xueka.kernel import clock

#: So long an operation goes on after it was declared.
NOTICE = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Deprecation:
    """`since`: the first day on which it should not be built upon; `until`: the last one on which it answers.

    `instead`: what to use, in the words of the page. Raises ValueError where the notice is too short.
    """

    since: date
    until: date
    instead: str

    def __post_init__(self) -> None:
        if self.until - self.since < NOTICE or not self.instead:
            raise ValueError(f"at least {NOTICE.days} days, and something stands in its place")

    @property
    def words(self) -> str:
        return f"{self.since} 起不再推荐，{self.until} 后停用；请改用{self.instead}。"

    def headers(self, page: str) -> dict[str, str]:
        """`page`: the address of the page that says what to do."""
        return {
            "Deprecation": f"@{_midnight(self.since)}",
            "Sunset": http_date(_midnight(self.until + timedelta(days=1))),
            "Link": f'<{page}>; rel="deprecation"; type="text/html"',
        }


#: Operation of the partner interface → what becomes of it.
PARTNER: Mapping[str, Deprecation] = MappingProxyType({})

View = Callable[..., HttpResponse]


def marked(view: View, table: Callable[[], Mapping[str, Deprecation]], operation: str, page: str) -> View:
    """The view, whose answers say what the table says of its operation. `page` is the name of an address."""

    @wraps(view)
    def answering(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        answer = view(request, *args, **kwargs)
        if told := table().get(operation):
            for name, value in told.headers(request.build_absolute_uri(reverse(page))).items():
                answer.headers[name] = value
        return answer

    return answering


def _midnight(day: date) -> int:
    return int(datetime.combine(day, datetime.min.time(), clock.SHANGHAI).timestamp())
