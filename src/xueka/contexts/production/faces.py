"""The card faces (卡面版式) that were handed to the bureau, by template and version (folder data/faces)."""

import re
from functools import cache
from importlib import resources

from xueka.contexts.production.domain.bureau.records import CardFace
from xueka.kernel.errors import Refused
from xueka.platform.crypto import sm3

_NAME = re.compile(r"([A-Za-z0-9._-]{1,32})\.v(\d{1,4})\.svg")


@cache
def face(template: str) -> CardFace:
    """The newest version of a template. Raises Refused `FACE_UNKNOWN`."""
    versions = [found for found in faces() if found.template == template]
    if not versions:
        raise Refused(
            "FACE_UNKNOWN",
            f"没有卡面版式“{template}”。",
            found=template,
            action="请核对卡种设置中的卡面版式。",
        )
    return max(versions, key=lambda found: found.version)


@cache
def faces() -> list[CardFace]:
    """Every version of every template, with the SM3 of its artwork."""
    folder = resources.files("xueka.contexts.production").joinpath("data/faces")
    return [
        CardFace(match[1], int(match[2]), sm3.hexdigest(file.read_bytes()))
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if (match := _NAME.fullmatch(file.name))
    ]
