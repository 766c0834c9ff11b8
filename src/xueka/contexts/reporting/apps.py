from django.apps import AppConfig


class ReportingConfig(AppConfig):
    name = "xueka.contexts.reporting"
    label = "reporting"
    verbose_name = "统计与导出"
