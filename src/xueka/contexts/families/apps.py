from django.apps import AppConfig


class FamiliesConfig(AppConfig):
    name = "xueka.contexts.families"
    label = "families"
    verbose_name = "家长"
