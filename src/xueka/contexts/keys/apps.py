from django.apps import AppConfig


class KeysConfig(AppConfig):
    name = "xueka.contexts.keys"
    label = "keys"
    verbose_name = "密钥管理"
