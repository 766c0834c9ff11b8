"""Addresses under /api/."""

from django.urls import path

from xueka.entrypoints.rest import partner

urlpatterns = [
    path("partner/v1/docs", partner.docs, name="partner_docs"),
    path("partner/v1/", partner.api.urls),
]
