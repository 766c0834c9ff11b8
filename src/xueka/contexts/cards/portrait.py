"""Judging a portrait and bringing it into the form of the photo rule (data/photo_rule.toml).

Every photo is written anew, so that nothing but its pixels is kept: no EXIF that tells the place where it
was taken, and nothing hidden behind the picture.
"""

import io
from dataclasses import dataclass

from PIL import Image, ImageOps, ImageStat, JpegImagePlugin

from xueka.contexts.cards.configuration import PhotoRule, photo_rule
from xueka.kernel.errors import BadInput

Finding = dict[str, str]

_QUALITIES = range(95, 30, -5)


@dataclass(frozen=True, slots=True)
class Portrait:
    """JPEG bytes of exactly the size of the rule, and what was noticed: [{code, message}]."""

    content: bytes
    width: int
    height: int
    findings: list[Finding]


def check_portrait(content: bytes, rule: PhotoRule | None = None) -> Portrait:
    """Judge an uploaded photo. Raises BadInput with a code PHOTO_… where it cannot be used.

    Turned, scaled and compressed as needed; each of that, and every doubt, is a finding.
    """
    rule = rule or photo_rule()
    findings: list[Finding] = []
    source = _open(content, rule)
    image, untouched = _upright(source, findings)
    image, kept_size = _sized(image, rule, findings)
    if _mean(image) < rule.light_from:
        findings.append(_finding("photo_background", "背景偏深，应为浅色背景"))
    written = _encode(image if not (untouched and kept_size) else source, rule, len(content), findings)
    return Portrait(written, rule.width, rule.height, findings)


def _open(content: bytes, rule: PhotoRule) -> JpegImagePlugin.JpegImageFile:
    if len(content) > rule.upload_max_bytes:
        limit = rule.upload_max_bytes // 1024 // 1024
        raise BadInput("PHOTO_FILE_TOO_BIG", "照片文件过大。", expected=f"不超过 {limit} MB")
    try:
        # The class itself, not Image.open: whatever the name says, only JPEG is tried.
        image = JpegImagePlugin.JpegImageFile(io.BytesIO(content))
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
            "文件不是完整的 JPEG 照片。",
            expected="JPEG（.jpg）格式的学籍照片",
            action="请另存为 JPEG 后重新上传；只改文件扩展名无效。",
        ) from None
    return image


def _upright(image: Image.Image, findings: list[Finding]) -> tuple[Image.Image, bool]:
    """Turned as its EXIF says, and in RGB; whether nothing had to be done."""
    upright = ImageOps.exif_transpose(image)
    turned = image.getexif().get(0x0112, 1) != 1
    if turned:
        findings.append(_finding("photo_turned", "照片已按拍摄方向转正"))
    if image.mode == "L" or _is_gray(upright):
        findings.append(_finding("photo_gray", "照片为黑白，应为彩色"))
    if upright.mode != "RGB":
        return upright.convert("RGB"), False
    return upright, not turned


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


def _mean(image: Image.Image) -> float:
    """Mean brightness (0–255) of the background: both edges of the upper third, where no shoulder reaches."""
    width, height = image.size
    edge, depth = width // 12, height // 3
    gray = image.convert("L")
    sides = [gray.crop((0, 0, edge, depth)), gray.crop((width - edge, 0, width, depth))]
    return sum(ImageStat.Stat(side).mean[0] for side in sides) / len(sides)


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
