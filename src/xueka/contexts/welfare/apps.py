from django.apps import AppConfig


class WelfareConfig(AppConfig):
    name = "xueka.contexts.welfare"
    label = "welfare"
    verbose_name = "民生卡权益平台"
