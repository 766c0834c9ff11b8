from django.apps import AppConfig


class ObjectsConfig(AppConfig):
    name = "xueka.entrypoints.portals.objects"
    label = "portal_objects"
    verbose_name = "对象页"
