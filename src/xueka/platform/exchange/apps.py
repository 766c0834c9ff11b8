from django.apps import AppConfig


class ExchangeConfig(AppConfig):
    name = "xueka.platform.exchange"
    label = "exchange"
    verbose_name = "数据交换"
