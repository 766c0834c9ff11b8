from django.apps import AppConfig


class CouriersConfig(AppConfig):
    name = "xueka.contexts.couriers"
    label = "couriers"
    verbose_name = "承运商与运件"
