from django.apps import AppConfig


class NumbersConfig(AppConfig):
    name = "xueka.contexts.numbers"
    label = "numbers"
    verbose_name = "号段与空白卡"
