from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "xueka.contexts.ledger"
    label = "ledger"
    verbose_name = "账簿"
