from django.apps import AppConfig


class FilesConfig(AppConfig):
    name = "xueka.platform.files"
    label = "files"
    verbose_name = "文件"
