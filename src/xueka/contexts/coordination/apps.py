from django.apps import AppConfig


class CoordinationConfig(AppConfig):
    name = "xueka.contexts.coordination"
    label = "coordination"
    verbose_name = "对外协调"
