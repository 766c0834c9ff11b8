from django.apps import AppConfig


class AdminConfig(AppConfig):
    name = "xueka.entrypoints.portals.admin"
    label = "admin_portal"
    verbose_name = "系统与安全管理"
