from django.apps import AppConfig


class TransitConfig(AppConfig):
    name = "xueka.contexts.transit"
    label = "transit"
    verbose_name = "一卡通公司"
