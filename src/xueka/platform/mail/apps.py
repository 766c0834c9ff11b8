from django.apps import AppConfig


class MailConfig(AppConfig):
    name = "xueka.platform.mail"
    label = "mail"
    verbose_name = "邮件"
