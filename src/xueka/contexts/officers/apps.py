from django.apps import AppConfig


class OfficersConfig(AppConfig):
    name = "xueka.contexts.officers"
    label = "officers"
    verbose_name = "卡管人员"
