from django.apps import AppConfig


class HistoryConfig(AppConfig):
    name = "xueka.platform.history"
    label = "history"
    verbose_name = "状态历史"
