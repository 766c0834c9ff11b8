"""The smallest pieces of a page as safe HTML: icon, badge, stage, and a value drawn by its type."""

from datetime import date
from typing import Any

from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

from xueka.entrypoints.design import formats, icons
from xueka.entrypoints.design.ui import TONES, Badge, Link

STAGES = {"primary": "小学", "junior": "初中", "senior": "高中"}


def icon(name: str, label: str = "") -> SafeString:
    """An icon; without a label it is decoration and hidden from screen readers."""
    drawn = mark_safe(icons.strokes(name))  # noqa: S308 -- drawings of our locked npm package
    speech = format_html('role="img" aria-label="{}"', label) if label else mark_safe('aria-hidden="true"')
    kind = "filled" if name.startswith("filled/") else "outline"
    return format_html(
        '<svg class="xk-icon" data-kind="{}" viewBox="0 0 24 24" {}>{}</svg>', kind, speech, drawn
    )


def badge(shown: Badge) -> SafeString:
    drawn = icon(shown.icon or TONES[shown.tone])
    return format_html('<span class="xk-badge" data-tone="{}">{}{}</span>', shown.tone, drawn, shown.text)


def stage(code: str) -> SafeString:
    """The school stage in its colour, with its word."""
    return format_html('<span class="xk-stage" data-stage="{}">{}</span>', code, STAGES[code])


def link(shown: Link) -> SafeString:
    if not shown.url:
        return conditional_escape(shown.text)
    return format_html('<a href="{}">{}</a>', shown.url, shown.text)


def show(value: Any) -> SafeString:
    """A value by its type. Nothing («», None) reads as —, True as 是; text is escaped, safe HTML is kept."""
    match value:
        case None | "":
            return format_html('<span class="xk-nothing">{}</span>', formats.NOTHING)
        case Badge():
            return badge(value)
        case Link():
            return link(value)
        case date():
            return format_html('<time datetime="{}">{}</time>', value.isoformat(), formats.compact(value))
        case _:
            return conditional_escape(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return "是" if value else "否"
    return formats.count(value) if isinstance(value, int | float) else value
