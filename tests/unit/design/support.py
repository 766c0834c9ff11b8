"""Rendering a piece of template as a page would."""

from html.parser import HTMLParser
from typing import Any

from django.template import Context, Template
from django.test import RequestFactory


def draw(source: str, **shapes: Any) -> str:
    """HTML of a piece of template with the components' tags loaded."""
    context = Context({"csrf_token": "token", **shapes})
    return Template("{% load ui fmt %}" + source).render(context)


def get(address: str = "/", **headers: str) -> Any:
    return RequestFactory().get(address, headers=headers)


class _Outline(HTMLParser):
    VOID = {
        "input",
        "img",
        "br",
        "hr",
        "meta",
        "link",
        "path",
        "rect",
        "circle",
        "use",
        "image",
        "ellipse",
        "line",
    }

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        self.wrong += [f"<{tag} {name}>" for name in names if name == "style" or name.startswith("on")]
        self.wrong += [f"<{tag}> names {name} twice" for name in set(names) if names.count(name) > 1]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes nothing")


def faults(html: str) -> list[str]:
    """What is wrong with a piece of HTML: nesting, doubled attributes, and what the security policy
    forbids.
    """
    outline = _Outline()
    outline.feed(html)
    return outline.wrong + [f"<{tag}> is left open" for tag in outline.open]
