"""The components as template tags: `{% load ui %}`. Their shapes stand in `design.ui`, their names in
README.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import segno
from django import template
from django.forms import BaseForm, BoundField
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from xueka.entrypoints.design import flashes, html, states, ui
from xueka.entrypoints.design.context import Shell
from xueka.entrypoints.design.listing import DataList
from xueka.kernel.errors import XuekaError

register = template.Library()

register.simple_tag(html.icon, name="icon")
register.simple_tag(html.stage, name="stage")
register.simple_tag(html.show, name="show")


@register.simple_tag(takes_context=True)
def shell(context: template.Context) -> Shell | None:
    """Who acts, the navigation and the day, for the templates of the frame; None on a page without a
    request.
    """
    request = context.get("request")
    if "shell" in context:
        return context["shell"]
    return Shell(request) if request is not None else None


@register.simple_tag
def badge(text: str | ui.Badge, tone: str = "neutral", icon: str = "") -> SafeString:
    """`{% badge "已过期" "bad" %}`, or `{% badge row.badge %}`."""
    return html.badge(text if isinstance(text, ui.Badge) else ui.Badge(text, tone, icon))


@register.simple_tag
def state(machine: str, code: str) -> SafeString:
    """`{% state "application" row.state %}`: colour, icon and word of a state of a registered machine."""
    return html.badge(states.badge(machine, code))


@register.simple_tag
def tone_icon(tone: str, icon: str = "") -> SafeString:
    """The icon that goes with a tone, unless another is named."""
    return html.icon(icon or ui.TONES[tone])


SCAN_MARKS = {
    "expected": ("point", "未扫"),
    "found": ("check", "已扫"),
    "missing": ("question-mark", "缺少"),
    "extra": ("alert-triangle", "多出"),
    "damaged": ("alert-triangle", "损坏"),
}


@register.simple_tag
def scan_mark(state: str) -> SafeString:
    return html.icon(*SCAN_MARKS[state])


@register.inclusion_tag("design/ui/flash.html")  # which hands the CSRF token on, as the undo needs it
def flash_message(message: Any) -> dict[str, Any]:
    """A message of django.contrib.messages, with the action that `flash()` may have given it (undo)."""
    return flashes.read(message)


@register.filter
def hidden_fields(params: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Names and values of hidden fields; a list becomes several fields of one name."""
    for name, value in params.items():
        for each in value if isinstance(value, list | tuple) else (value,):
            yield name, each


@register.filter
def segments(row: ui.ProgressRow) -> Iterator[tuple[ui.Part, int]]:
    """The parts of a bar that are not empty, each with where it begins."""
    start = 0
    for part in row.parts:
        if part.value:
            yield part, start
        start += part.value


@register.filter
def heat(percent: int | None) -> int:
    """The step of the heat map, 0 (nothing) to 5 (all)."""
    return 0 if not percent else min(5, 1 + percent // 25)


def _component(name: str, variable: str) -> None:
    """A tag of one argument, drawn by `design/ui/NAME.html`, which sees the argument as `variable`."""

    def tag(shape: Any) -> dict[str, Any]:
        return {variable: shape}

    register.inclusion_tag(f"design/ui/{name}.html", name=name)(tag)


for _name, _variable in (
    ("action", "action"),
    ("actions", "actions"),
    ("tiles", "tiles"),
    ("empty", "empty"),
    ("facts", "facts"),
    ("object_head", "head"),
    ("timeline", "events"),
    ("neighbours", "links"),
    ("stepper", "steps"),
    ("progress_rows", "rows"),
    ("sum_strip", "sum"),
    ("flow", "stages"),
    ("heat_tiles", "tiles"),
    ("heat_table", "table"),
    ("gauges", "gauges"),
    ("age_strip", "strip"),
    ("photo_grid", "cards"),
    ("crop_box", "crop"),
    ("scan_panel", "scan"),
    ("scan_lines", "scan"),
    ("drop_zone", "drop"),
    ("long_work", "work"),
    ("preview", "preview"),
    ("key_tree", "tree"),
    ("card_face", "card"),
    ("card_back", "card"),
    ("line_problems", "problems"),
):
    _component(_name, _variable)


@register.inclusion_tag("design/ui/page_header.html")
def page_header(
    title: str, sub: str = "", actions: Sequence[ui.Action] = (), back: ui.Link | None = None
) -> dict[str, Any]:
    """The page's only h1, what it is about, and its one obvious next step among the actions."""
    return {"title": title, "sub": sub, "actions": actions, "back": back}


@register.inclusion_tag("design/ui/data_list.html")
def data_list(listing: DataList) -> dict[str, Any]:
    return {"list": listing}


@register.inclusion_tag("design/ui/problem.html")
def problem(error: XuekaError, title: str = "") -> dict[str, Any]:
    """A refusal in the one manner: where, what was read, what was expected, what to do."""
    return {"error": error, "title": title}


@register.inclusion_tag("design/ui/error_summary.html")
def error_summary(form: BaseForm) -> dict[str, Any]:
    """All errors of a bound form, each leading to its field. Draws nothing when there are none."""
    return {"form": form}


@register.inclusion_tag("design/ui/field.html")
def field(bound: BoundField, width: str = "") -> dict[str, Any]:
    """A form field with label, help and errors. `width`: short, medium or "" (full)."""
    widget = bound.field.widget
    kind = getattr(widget, "input_type", "") or ("select" if hasattr(widget, "choices") else "text")
    several = kind in ("radio", "checkbox") and hasattr(widget, "choices")
    css = {"checkbox": "form-check-input", "select": "form-select"}
    attrs: dict[str, str | bool] = (
        {} if kind in ("hidden", "radio") or several else {"class": css.get(kind, "form-control")}
    )
    return {
        "field": bound,
        "kind": kind,
        "several": several,
        "width": width,
        "widget": bound.as_widget(attrs=attrs),
    }


@register.inclusion_tag("design/ui/masked.html")
def masked(shown: str, reveal_url: str = "", label: str = "") -> dict[str, Any]:
    """A masked personal value. With `reveal_url` a button asks for a reason and posts it; the view audits
    and answers
    with the plain value as text."""
    return {"shown": shown, "reveal_url": reveal_url, "label": label}


@register.inclusion_tag("design/ui/qr_code.html")
def qr_code(text: str, label: str) -> dict[str, Any]:
    """An address or number to be read off the screen by a phone; show it as text beside, too."""
    return {"picture": segno.make(text, error="m").svg_data_uri(scale=4, light="#fff"), "label": label}


@register.inclusion_tag("design/ui/progress.html")
def progress(
    done: int, total: int, label: str = "", tone: str = "progress", unit: str = ""
) -> dict[str, Any]:
    return {"done": done, "total": total, "label": label, "tone": tone, "unit": unit}


@register.simple_block_tag
def panel(content: str, title: str = "", url: str = "", more: str = "", flush: bool = False) -> str:
    """`{% panel "最近退回" url more="看全部" %} … {% endpanel %}`.

    `flush` is for tables and lists, which bring their own edges.
    """
    shapes = {"title": title, "url": url, "more": more, "flush": flush, "content": content}
    return render_to_string("design/ui/panel.html", shapes)


@register.simple_block_tag
def chart(content: str, kind: str, title: str, unit: str = "") -> str:
    """Draws the table inside it as a chart; the table stays one click away.

    `kind`: bar, stacked, line, waterfall. First column: the categories; each further column: a series of
    plain numbers. A waterfall has one, and its rows with `data-total` stand on the ground.
    """
    return render_to_string(
        "design/ui/chart.html", {"kind": kind, "title": title, "unit": unit, "content": content}
    )
