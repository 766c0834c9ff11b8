from django.apps import AppConfig


class ReceiptsConfig(AppConfig):
    name = "xueka.contexts.receipts"
    label = "receipts"
    verbose_name = "电子票据"
