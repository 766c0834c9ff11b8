from django.apps import AppConfig


class OfficersPortalConfig(AppConfig):
    name = "xueka.entrypoints.portals.officers"
    label = "officers_portal"
    verbose_name = "卡管人员页面"
