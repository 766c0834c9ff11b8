from django.apps import AppConfig


class MessagesConfig(AppConfig):
    name = "xueka.platform.messages"
    label = "outbox"
    verbose_name = "短信"
