from django.apps import AppConfig


class ProductionConfig(AppConfig):
    name = "xueka.contexts.production"
    label = "production"
    verbose_name = "制卡"
