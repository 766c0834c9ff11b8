from django.apps import AppConfig


class MultiappConfig(AppConfig):
    name = "xueka.contexts.multiapp"
    label = "multiapp"
    verbose_name = "多应用"
