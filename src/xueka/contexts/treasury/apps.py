from django.apps import AppConfig


class TreasuryConfig(AppConfig):
    name = "xueka.contexts.treasury"
    label = "treasury"
    verbose_name = "收缴"
