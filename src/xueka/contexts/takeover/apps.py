from django.apps import AppConfig


class TakeoverConfig(AppConfig):
    name = "xueka.contexts.takeover"
    label = "takeover"
    verbose_name = "接管"
