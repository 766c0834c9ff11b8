"""Synthetic portraits: drawn from a seed, so that no real child's face is ever in a demo or a test."""

import io
import random

from PIL import Image, ImageDraw, ImageFilter

SIZE = (358, 441)  # the national registration photo
_BACKGROUND = (190, 222, 245)
_SKIN = [(255, 224, 196), (246, 208, 177), (236, 192, 156), (224, 176, 138)]
_HAIR = [(24, 22, 24), (38, 30, 28), (52, 38, 32)]
_SHIRT = [(245, 245, 248), (52, 84, 150), (170, 42, 52), (40, 110, 92), (92, 92, 100)]
_SCALE = 2  # drawn twice as large and reduced, for smooth edges

Box = tuple[float, float, float, float]


def draw_portrait(seed: int) -> bytes:
    """A JPEG of 358 × 441 pixels, at most 60 KB, on plain light blue; equal seeds give equal pictures."""
    chance = random.Random(seed)  # noqa: S311 - a picture, not a secret
    width, height = SIZE[0] * _SCALE, SIZE[1] * _SCALE
    image = Image.new("RGB", (width, height), _BACKGROUND)
    draw = ImageDraw.Draw(image)
    skin, hair = chance.choice(_SKIN), chance.choice(_HAIR)
    face_width = width * chance.uniform(0.235, 0.262)
    face = (
        width / 2 - face_width,
        height * 0.20,
        width / 2 + face_width,
        height * chance.uniform(0.69, 0.73),
    )
    long_hair = chance.random() < 0.5
    if long_hair:
        _ellipse(draw, _grow(face, 0.20, 0.12, 0.20, 0.16), hair)
    _shoulders(draw, chance, width, height, skin)
    _head(draw, chance, face, skin, hair, long_hair)
    _features(draw, chance, face, skin, hair)
    out = io.BytesIO()
    picture = image.filter(ImageFilter.GaussianBlur(0.8)).resize(SIZE, Image.Resampling.LANCZOS)
    picture.save(out, "JPEG", quality=88, optimize=True)
    return out.getvalue()


def _shoulders(
    draw: ImageDraw.ImageDraw, chance: random.Random, width: int, height: int, skin: tuple[int, int, int]
) -> None:
    shirt = chance.choice(_SHIRT)
    _ellipse(draw, (width * 0.10, height * 0.80, width * 0.90, height * 1.35), shirt)
    draw.rectangle((width * 0.42, height * 0.62, width * 0.58, height * 0.83), fill=_darker(skin, 0.90))
    collar = _darker(shirt, 0.85)
    middle, neck = width / 2, height * 0.80
    for side in (-1, 1):
        draw.polygon(
            [
                (middle + side * width * 0.09, neck),
                (middle + side * width * 0.17, neck + height * 0.05),
                (middle, neck + height * 0.13),
            ],
            fill=collar,
        )


def _head(
    draw: ImageDraw.ImageDraw,
    chance: random.Random,
    face: Box,
    skin: tuple[int, int, int],
    hair: tuple[int, int, int],
    long_hair: bool,
) -> None:
    left, top, right, bottom = face
    ear = (bottom - top) * 0.09
    for side in (left, right):
        _ellipse(
            draw, (side - ear * 0.6, top + ear * 4.6, side + ear * 0.6, top + ear * 7), _darker(skin, 0.94)
        )
    _ellipse(draw, _grow(face, 0.10, 0.14, 0.10, -0.35), hair)
    _ellipse(draw, face, skin)
    # The hair over the forehead: a fringe of strands, or brushed to one side.
    line = top + (bottom - top) * chance.uniform(0.20, 0.27)
    draw.chord((left - 4, top - ear, right + 4, line + (line - top)), 180, 360, fill=hair)
    if long_hair or chance.random() < 0.4:
        strands = chance.randint(5, 8)
        step = (right - left) * 0.8 / strands
        for strand in range(strands):
            start = left + (right - left) * 0.1 + strand * step
            tip = line + chance.uniform(0.02, 0.07) * (bottom - top)
            draw.polygon(
                [(start, line - ear), (start + step, line - ear), (start + step / 2, tip)], fill=hair
            )


def _features(
    draw: ImageDraw.ImageDraw,
    chance: random.Random,
    face: Box,
    skin: tuple[int, int, int],
    hair: tuple[int, int, int],
) -> None:
    left, top, right, bottom = face
    width, height = right - left, bottom - top
    middle, eyes = (left + right) / 2, top + height * chance.uniform(0.47, 0.50)
    apart, size = width * chance.uniform(0.21, 0.25), width * chance.uniform(0.075, 0.09)
    glasses, brow_width = chance.random() < 0.25, chance.randint(5, 9)
    for side in (-1, 1):
        x = middle + side * apart
        _ellipse(draw, (x - size, eyes - size * 0.55, x + size, eyes + size * 0.55), (250, 250, 250))
        pupil = size * 0.52
        _ellipse(draw, (x - pupil, eyes - pupil, x + pupil, eyes + pupil), (46, 34, 30))
        brow = eyes - height * 0.085
        draw.line((x - side * size, brow, x + side * size, brow + 4), fill=hair, width=brow_width)
        if glasses:
            ring = size * 1.7
            draw.ellipse(
                (x - ring, eyes - ring * 0.8, x + ring, eyes + ring * 0.8), outline=(60, 60, 66), width=5
            )
    if glasses:
        draw.line((middle - apart * 0.4, eyes, middle + apart * 0.4, eyes), fill=(60, 60, 66), width=5)
    nose, shade = eyes + height * 0.17, _darker(skin, 0.85)
    draw.arc(
        (middle - size * 0.6, nose - size, middle + size * 0.6, nose + size * 0.3),
        20,
        160,
        fill=shade,
        width=5,
    )
    mouth, smile = top + height * 0.79, width * chance.uniform(0.12, 0.17)
    bow = chance.uniform(0.03, 0.06) * height
    draw.chord((middle - smile, mouth - bow, middle + smile, mouth + bow), 0, 180, fill=(196, 92, 92))


def _ellipse(draw: ImageDraw.ImageDraw, box: Box, colour: tuple[int, int, int]) -> None:
    draw.ellipse(box, fill=colour)


def _grow(box: Box, left: float, top: float, right: float, bottom: float) -> Box:
    width, height = box[2] - box[0], box[3] - box[1]
    return (
        box[0] - width * left,
        box[1] - height * top,
        box[2] + width * right,
        box[3] + height * bottom,
    )


def _darker(colour: tuple[int, int, int], by: float) -> tuple[int, int, int]:
    return (round(colour[0] * by), round(colour[1] * by), round(colour[2] * by))
