from django.apps import AppConfig


class CustodianConfig(AppConfig):
    name = "xueka.entrypoints.portals.custodian"
    label = "custodian_portal"
    verbose_name = "密钥管理"
