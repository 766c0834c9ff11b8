from django.apps import AppConfig


class SchoolyearConfig(AppConfig):
    name = "xueka.contexts.schoolyear"
    label = "schoolyear"
    verbose_name = "学年"
