"""Icons from the npm package `@tabler/icons`, put into the page as SVG (the content-security policy allows
no font).
"""

import re
from functools import cache
from pathlib import Path

from django.conf import settings

_DRAWN = re.compile(r"<(?:path|circle|rect|line|polyline)\b[^>]*/>")


@cache
def strokes(name: str) -> str:
    """The inner elements of icon `name` («check», or «filled/check»). LookupError when there is no such
    icon.
    """
    style, _, bare = name.rpartition("/")
    path = Path(settings.NODE_MODULES) / "@tabler/icons/icons" / (style or "outline") / f"{bare}.svg"
    if not re.fullmatch(r"[a-z0-9-]+", bare) or not path.is_file():
        raise LookupError(f"no icon {name!r} in @tabler/icons")
    return "".join(m for m in _DRAWN.findall(path.read_text("utf-8")) if 'd="M0 0h24v24H0z"' not in m)
