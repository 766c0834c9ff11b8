from django.apps import AppConfig


class FinanceConfig(AppConfig):
    name = "xueka.entrypoints.portals.finance"
    label = "finance_portal"
    verbose_name = "财务"
