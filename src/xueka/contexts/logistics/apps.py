from django.apps import AppConfig


class LogisticsConfig(AppConfig):
    name = "xueka.contexts.logistics"
    label = "logistics"
    verbose_name = "配送与发放"
