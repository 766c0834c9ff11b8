from django.apps import AppConfig


class PrintingConfig(AppConfig):
    name = "xueka.contexts.printing"
    verbose_name = "卡面与打印"
