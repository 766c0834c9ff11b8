from django.apps import AppConfig


class InteropConfig(AppConfig):
    name = "xueka.contexts.interop"
    label = "interop"
    verbose_name = "数据交换"
