"""Django application of the design system."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class DesignConfig(AppConfig):
    name = "xueka.entrypoints.design"
    label = "design"
    verbose_name = "界面"

    def ready(self) -> None:
        """Each portal describes its navigation in a module `nav` of its own; load them all."""
        autodiscover_modules("nav")
