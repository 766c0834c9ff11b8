from django.apps import AppConfig


class CityConfig(AppConfig):
    name = "xueka.entrypoints.portals.city"
    label = "portal_city"
    verbose_name = "市"
