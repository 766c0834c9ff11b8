"""Addresses under /api/."""

from django.urls import URLPattern, URLResolver, path, re_path

from xueka.entrypoints.rest import (
    agent,
    interop,
    notices,
    partner,
    pushes,
    reference,
    reports,
    sign_off,
    versions,
)
from xueka.entrypoints.rest.limits import machine_view, unknown_address


def _small(patterns: list[URLPattern | URLResolver]) -> list[URLPattern | URLResolver]:
    """The same addresses, with bodies of a limited size."""
    return [
        path(str(each.pattern), machine_view(each.callback), each.default_args, each.name)
        for each in patterns
        if isinstance(each, URLPattern) and each.callback is not None
    ]


def _told(patterns: list[URLPattern | URLResolver]) -> list[URLPattern | URLResolver]:
    """The partners' addresses, whose answers say which of them are on their way out (`versions`)."""
    return [
        path(
            str(each.pattern),
            versions.marked(each.callback, lambda: partner.api.deprecations, each.name or "", "partner_docs"),
            each.default_args,
            each.name,
        )
        for each in _small(patterns)
        if isinstance(each, URLPattern) and each.callback is not None
    ]


_agent, _agent_app, _agent_space = agent.api.urls
_partner, _partner_app, _partner_space = partner.api.urls
urlpatterns: list[URLPattern | URLResolver] = [
    path("partner/v1/docs", reference.page(partner.api), name="partner_docs"),
    path("partner/v1/", (_told(_partner), _partner_app, _partner_space)),  # type: ignore[arg-type]
    path("pay/<slug:channel>/notice", notices.notice, name="payment_notice"),
    path("couriers/<slug:courier>/push", pushes.push, name="courier_push"),
    path("jingtong/logout", sign_off.over, name="jingtong_logout"),
    path("messages/reports", reports.reports, name="message_reports"),
    path("interop/v1/<slug:code>/messages", interop.message, name="interop_message"),
    path("interop/v1/<slug:code>/reconcile/<slug:name>", interop.reconcile, name="interop_reconcile"),
    path("interop/v1/<slug:code>/files/<slug:name>", interop.file, name="interop_file"),
    path("agent/v1/docs", reference.page(agent.api), name="agent_docs"),
    path("agent/v1/", (_small(_agent), _agent_app, _agent_space)),  # type: ignore[arg-type]
    re_path(r"^(?:partner|agent|interop)/", unknown_address),
]
