from django.apps import AppConfig


class OperationsConfig(AppConfig):
    name = "xueka.contexts.operations"
    label = "operations"
    verbose_name = "运行与核对"
