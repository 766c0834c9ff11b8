from django.apps import AppConfig


class DistrictConfig(AppConfig):
    name = "xueka.entrypoints.portals.district"
    label = "portal_district"
    verbose_name = "区"
