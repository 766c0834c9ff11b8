from django.apps import AppConfig


class BackupConfig(AppConfig):
    name = "xueka.platform.backup"
    label = "backup"
    verbose_name = "备份"
