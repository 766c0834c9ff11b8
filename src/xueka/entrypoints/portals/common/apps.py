from django.apps import AppConfig


class CommonConfig(AppConfig):
    name = "xueka.entrypoints.portals.common"
    label = "common"
    verbose_name = "公共页面"
