from django.apps import AppConfig


class ClosingConfig(AppConfig):
    name = "xueka.contexts.closing"
    label = "closing"
    verbose_name = "周结"
