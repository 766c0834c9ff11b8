from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "xueka.contexts.payments"
    label = "payments"
    verbose_name = "缴费"
