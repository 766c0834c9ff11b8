from django.apps import AppConfig


class ParentConfig(AppConfig):
    name = "xueka.entrypoints.portals.parent"
    label = "portal_parent"
    verbose_name = "家长"
