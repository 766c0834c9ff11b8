from django.apps import AppConfig


class PersonalizationConfig(AppConfig):
    name = "xueka.contexts.personalization"
    label = "personalization"
    verbose_name = "写卡"
