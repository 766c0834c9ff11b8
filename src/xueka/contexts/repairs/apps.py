from django.apps import AppConfig


class RepairsConfig(AppConfig):
    name = "xueka.contexts.repairs"
    label = "repairs"
    verbose_name = "差错修复"
