"""Words of the statistics pages."""

from django import template

from xueka.entrypoints.portals.objects.statistics import hours

register = template.Library()
register.filter("hours", hours)
