from django.apps import AppConfig


class CounterConfig(AppConfig):
    name = "xueka.entrypoints.portals.counter"
    label = "portal_counter"
    verbose_name = "即时制卡"
