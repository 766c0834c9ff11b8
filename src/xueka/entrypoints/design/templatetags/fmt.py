"""Filters: `{% load fmt %}`, then `{{ value|day }}`. What each shows stands in `design.formats`."""

from django import template

from xueka.entrypoints.design import formats

register = template.Library()

for _show in (
    formats.day,
    formats.short_day,
    formats.about,
    formats.moment,
    formats.compact,
    formats.age,
    formats.due,
    formats.yuan,
    formats.count,
    formats.number,
    formats.seconds,
    formats.groups,
    formats.size,
):
    register.filter(_show.__name__, _show)


@register.filter
def of(part: int, whole: int) -> str:
    """`{{ done|of:total }}` → 37%"""
    return formats.percent(part, whole)
