from django.apps import AppConfig


class ReplacementsConfig(AppConfig):
    name = "xueka.contexts.replacements"
    label = "replacements"
    verbose_name = "补卡换卡"
