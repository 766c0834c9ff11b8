"""Judging a portrait and bringing it into the form of the photo rule (data/photo_rule.toml).

Every photo is written anew, so that nothing but its pixels is kept: no EXIF that tells the place where it
was taken, and nothing hidden behind the picture.
"""

import io
from dataclasses import dataclass
from typing import NamedTuple

from PIL import Image, ImageChops, ImageOps, ImageStat, JpegImagePlugin, PngImagePlugin

from xueka.contexts.cards.configuration import PhotoRule, photo_rule
from xueka.kernel.errors import BadInput

Finding = dict[str, str]
Source = JpegImagePlugin.JpegImageFile | PngImagePlugin.PngImageFile

_QUALITIES = range(95, 30, -5)


class Box(NamedTuple):
    """A part of an upright picture, in its pixels."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Portrait:
    """JPEG bytes of exactly the size of the rule, and what was noticed: [{code, message}]."""

    content: bytes
    width: int
    height: int
    findings: list[Finding]


def check_portrait(content: bytes, rule: PhotoRule | None = None, crop: Box | None = None) -> Portrait:
    """Judge an uploaded photo. Raises BadInput with a code PHOTO_… where it cannot be used.

    Turned, cropped, scaled and compressed as needed; each of that, and every doubt, is a finding.
    """
    rule = rule or photo_rule()
    findings: list[Finding] = []
    source = _open(content, rule)
    image, untouched = _upright(source, findings)
    if crop:
        image, untouched = _cropped(image, crop, findings), False
    image, kept_size = _sized(image, rule, findings)
    _doubt(image, rule, findings)
    written = _encode(image if not (untouched and kept_size) else source, rule, len(content), findings)
    return Portrait(written, rule.width, rule.height, findings)


def upright(content: bytes, at_most: int) -> tuple[bytes, int, int]:
    """A photo that was refused, for the eye: JPEG of at most so many pixels a side, and its full size."""
    image, _ = _upright(_open(content, photo_rule()), [])
    width, height = image.size
    image.thumbnail((at_most, at_most))
    return _save(image, 80), width, height


def first_box(width: int, height: int) -> Box:
    """The largest part with the rule's proportions: in the middle, and rather high, where a face is."""
    rule = photo_rule()
    side = min(width, height * rule.width // rule.height)
    tall = min(height, round(side * rule.height / rule.width))
    return Box((width - side) // 2, (height - tall) // 4, side, tall)


def _open(content: bytes, rule: PhotoRule) -> Source:
    if len(content) > rule.upload_max_bytes:
        limit = rule.upload_max_bytes // 1024 // 1024
        raise BadInput("PHOTO_FILE_TOO_BIG", "照片文件过大。", expected=f"不超过 {limit} MB")
    try:
        # The classes themselves, not Image.open: whatever the name says, only these two are tried.
        png = content.startswith(b"\x89PNG")
        opens = PngImagePlugin.PngImageFile if png else JpegImagePlugin.JpegImageFile
        image: Source = opens(io.BytesIO(content))
        if image.width * image.height > rule.upload_max_pixels:
            raise BadInput(
                "PHOTO_TOO_MANY_PIXELS",
                "照片像素过多。",
                found=f"{image.width}×{image.height}",
                expected=f"{rule.width}×{rule.height}",
                action="请缩小后重新上传。",
            )
        image.load()
    except (SyntaxError, OSError, ValueError, KeyError, IndexError, TypeError):
        raise BadInput(
            "PHOTO_NOT_JPEG",
            "文件不是完整的 JPEG 或 PNG 照片。",
            expected="JPEG（.jpg）或 PNG 格式的学籍照片",
            action="请另存为 JPEG 后重新上传；只改文件扩展名无效。",
        ) from None
    return image


def _upright(image: Image.Image, findings: list[Finding]) -> tuple[Image.Image, bool]:
    """Turned as its EXIF says, and in RGB; whether nothing had to be done."""
    upright = ImageOps.exif_transpose(image)
    turned = image.getexif().get(0x0112, 1) != 1
    if turned:
        findings.append(_finding("photo_turned", "照片已按拍摄方向转正"))
    if image.format == "PNG":
        findings.append(_finding("photo_converted", "照片为 PNG，已转成 JPEG"))
    if upright.mode in ("LA", "PA", "RGBA") or "transparency" in upright.info:
        white = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(white, upright.convert("RGBA")).convert("RGB")
    if image.mode == "L" or _is_gray(upright):
        findings.append(_finding("photo_gray", "照片为黑白，应为彩色"))
    if upright.mode != "RGB":
        return upright.convert("RGB"), False
    return upright, not turned and image.format == "JPEG"


def _cropped(image: Image.Image, crop: Box, findings: list[Finding]) -> Image.Image:
    x, y, width, height = crop
    if min(x, y) < 0 or min(width, height) < 1 or x + width > image.width or y + height > image.height:
        raise BadInput(
            "PHOTO_CROP",
            "裁剪框超出了照片。",
            expected=f"{image.width}×{image.height} 以内",
            action="请重新框选。",
        )
    findings.append(_finding("photo_cropped", "照片已按框选裁剪"))
    return image.crop((x, y, x + width, y + height))


def _sized(image: Image.Image, rule: PhotoRule, findings: list[Finding]) -> tuple[Image.Image, bool]:
    """Scaled to the rule's size where the proportions are right; whether the size was right already."""
    if image.size == (rule.width, rule.height):
        return image, True
    found = f"{image.width}×{image.height}"
    wanted = rule.width / rule.height
    if abs(image.width / image.height - wanted) > wanted * rule.ratio_tolerance:
        raise BadInput(
            "PHOTO_RATIO",
            f"照片宽高为 {found}，比例不对，缩放会使人像变形。",
            found=found,
            expected=f"{rule.width}×{rule.height}",
            action="请按学籍照片规格裁剪后重新上传。",
        )
    scale = image.width / rule.width
    if scale < rule.smallest_scale:
        raise BadInput(
            "PHOTO_TOO_SMALL",
            f"照片宽高为 {found}，太小，放大后会模糊。",
            found=found,
            expected=f"{rule.width}×{rule.height}",
            action="请使用原始照片重新上传。",
        )
    if scale < 1:
        findings.append(_finding("photo_enlarged", f"照片由 {found} 放大到规定尺寸"))
    else:
        findings.append(_finding("photo_scaled", f"照片由 {found} 缩小到规定尺寸"))
    return image.resize((rule.width, rule.height), Image.Resampling.LANCZOS), False


def _doubt(image: Image.Image, rule: PhotoRule, findings: list[Finding]) -> None:
    """What deserves a look: the background, judged by both edges of the upper third, where no shoulder
    reaches, and the person before it.
    """
    width, height = image.size
    edge, depth = width // 12, height // 3
    sides = Image.new("RGB", (2 * edge, depth))
    sides.paste(image.crop((0, 0, edge, depth)), (0, 0))
    sides.paste(image.crop((width - edge, 0, width, depth)), (edge, 0))
    background = ImageStat.Stat(sides.convert("L"))
    if background.mean[0] < rule.light_from:
        findings.append(_finding("photo_background", "背景偏深，应为浅色背景"))
    plain = background.stddev[0] <= rule.plain_within
    if not plain:
        findings.append(_finding("photo_busy", "背景不是纯色，应为没有图案的浅色背景"))
    middle = image.crop((width // 4, height // 4, width * 3 // 4, height * 3 // 4)).convert("L")
    if ImageStat.Stat(middle).mean[0] < rule.face_light_from:
        findings.append(_finding("photo_dark", "人像偏暗，看不清面部"))
    if plain and _share(image, ImageStat.Stat(sides).mean) < rule.person_from:
        findings.append(_finding("photo_small_face", "人像偏小，面部应占画面的主要部分"))


def _share(image: Image.Image, background: list[float]) -> float:
    """Which share of the picture (0–1) differs clearly from its background: about the person's."""
    small = image.resize((36, 44))
    plain = Image.new("RGB", small.size, tuple(round(value) for value in background))
    red, green, blue = ImageChops.difference(small, plain).split()
    histogram = ImageChops.lighter(ImageChops.lighter(red, green), blue).histogram()
    return sum(histogram[30:]) / (small.width * small.height)


def _is_gray(image: Image.Image) -> bool:
    if image.mode != "RGB":
        return False
    _, blue_difference, red_difference = image.convert("YCbCr").split()
    return all(
        max(ImageStat.Stat(band).stddev) < 1.5 and abs(ImageStat.Stat(band).mean[0] - 128) < 1.5
        for band in (blue_difference, red_difference)
    )


def _encode(image: Image.Image, rule: PhotoRule, size: int, findings: list[Finding]) -> bytes:
    """As JPEG within the rule's bytes: at the photo's own quality if that fits, else step by step lower."""
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        kept = _save(image, "keep")
        if len(kept) <= rule.max_bytes:
            return kept
        image = image.copy()
    for quality in _QUALITIES:
        written = _save(image, quality)
        if len(written) <= rule.max_bytes:
            if size > rule.max_bytes:
                limit = rule.max_bytes // 1024
                message = f"照片 {size / 1024:.0f} KB，超过 {limit} KB：已自动压缩"
                findings.append(_finding("photo_compressed", message))
            return written
    raise BadInput(
        "PHOTO_TOO_BIG", "照片压缩后仍超过规定大小。", expected=f"不超过 {rule.max_bytes // 1024} KB"
    )


def _save(image: Image.Image, quality: int | str) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, optimize=True, exif=b"", icc_profile=None, comment=b"")
    return out.getvalue()


def _finding(code: str, message: str) -> Finding:
    return {"code": code, "message": message}
