from django.apps import AppConfig


class CardsConfig(AppConfig):
    name = "xueka.contexts.cards"
    label = "cards"
    verbose_name = "卡账户、申领与卡"
