from django.apps import AppConfig


class IdentityConfig(AppConfig):
    name = "xueka.platform.identity"
    label = "identity"
    verbose_name = "用户与权限"
