"""Plain Chinese pages for a phone of 360 px. No script; one style sheet."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from xueka.sandbox.common.http import Answer

STYLE = Path(__file__).with_name("style.css")


def style() -> Answer:
    return Answer(200, STYLE.read_bytes(), {"Content-Type": "text/css; charset=utf-8"})


def page(kind: str, title: str, who: str, *parts: str) -> str:
    """`kind` colours the head; parts are HTML, each on a paper of its own."""
    papers = "".join(f'<section class="paper">{part}</section>' for part in parts if part)
    return (
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f'<link rel="stylesheet" href="/style.css"><title>{escape(title)}</title></head>'
        f'<body class="{kind}"><header>{escape(who)} <small>模拟器</small></header>'
        f"<main>{papers}</main></body></html>"
    )


def sum_of(title: str, fen: int) -> str:
    return f'<h1>{escape(title)}</h1><p class="sum"><small>¥</small>{fen // 100}.{fen % 100:02d}</p>'


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    return f"<dl>{''.join(f'<dt>{escape(a)}</dt><dd>{escape(b)}</dd>' for a, b in pairs)}</dl>"


def state(text: str, manner: str = "") -> str:
    """Manner is `good`, `bad` or nothing."""
    return f'<p class="state {manner}" role="status">{escape(text)}</p>'


def buttons(
    action: str, choices: Sequence[tuple[str, str]], *, second: bool = False, inside: str = ""
) -> str:
    """A form of buttons named `act`; the first stands out unless all are second."""
    made = "".join(
        f'<button name="act" value="{value}" class="{"second" if second or place else "first"}">'
        f"{escape(label)}</button>"
        for place, (value, label) in enumerate(choices)
    )
    return f'<form method="post" action="{escape(action)}">{inside}{made}</form>'


def link(address: str, label: str, *, second: bool = False) -> str:
    return f'<a class="button{" second" if second else ""}" href="{escape(address)}">{escape(label)}</a>'


def unfold(label: str, inside: str) -> str:
    return f"<details><summary>{escape(label)}</summary>{inside}</details>"
