"""The shape of `{% crop_box %}`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class CropBox:
    """A frame of fixed proportions over a picture, moved by dragging or by sliders (arrow keys).

    `width` × `height` is the picture, in the pixels in which `x`, `y`, `frame_width` and `frame_height` are
    posted to `url`; the frame given is the largest, `least` the smallest width.
    """

    url: str
    picture_url: str
    picture_alt: str
    width: int
    height: int
    x: int
    y: int
    frame_width: int
    frame_height: int
    least: int = 1
    button: str = "裁剪并使用"
    params: Mapping[str, Any] = field(default_factory=dict)
