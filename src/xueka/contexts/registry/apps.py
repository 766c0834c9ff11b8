from django.apps import AppConfig


class RegistryConfig(AppConfig):
    name = "xueka.contexts.registry"
    label = "registry"
    verbose_name = "学籍"
