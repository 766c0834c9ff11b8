"""Messages on top of the next page, each with a tone and perhaps one action («撤销»)."""

import json
from typing import Any

from django.contrib import messages
from django.contrib.messages.storage.base import Message
from django.http import HttpRequest

from xueka.entrypoints.design.ui import Action

_LEVELS = {"ok": messages.SUCCESS, "progress": messages.INFO, "wait": messages.WARNING, "bad": messages.ERROR}
_TONES = {level: tone for tone, level in _LEVELS.items()}


def flash(request: HttpRequest, text: str, tone: str = "ok", undo: Action | None = None) -> None:
    """Say `text` on the next page. `undo` is shown as its button; it must be a plain post without a
    dialog; the key `u` presses it.
    """
    packed = ""
    if undo:
        packed = json.dumps(
            {
                "label": undo.label,
                "url": undo.url,
                "params": dict(undo.params),
                "icon": undo.icon,
                "hotkey": "u",
            }
        )
    messages.add_message(request, _LEVELS[tone], text, extra_tags=packed)


def read(message: Message) -> dict[str, Any]:
    """What the template of a message draws."""
    packed = json.loads(message.extra_tags) if message.extra_tags else None
    return {
        "text": message.message,
        "tone": _TONES.get(message.level, "progress"),
        "action": Action(**packed, method="post") if packed else None,
    }
