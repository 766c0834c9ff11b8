from django.apps import AppConfig


class SchoolConfig(AppConfig):
    name = "xueka.entrypoints.portals.school"
    label = "portal_school"
    verbose_name = "学校"
