"""What is printed on a card, and the rule by which a long text is made to fit."""

from collections.abc import Callable
from dataclasses import dataclass, field

#: ID-1 (ISO/IEC 7810): 85.60 × 53.98 mm; at 300 dpi.
WIDTH_MM, HEIGHT_MM, DPI = 85.6, 53.98, 300
WIDTH, HEIGHT = 1011, 638

SIDES = ("front", "back")
SIDE_LABELS = {"front": "正面", "back": "背面"}

#: The fields that a template may name, in the words of the screen.
FIELDS = {
    "school_name": "学校",
    "name": "姓名",
    "sex": "性别",
    "education_id": "教育ID",
    "validity": "有效期",
    "valid_until": "有效期至",
    "card_number": "学生卡号",
    "transit_number": "一卡通号",
    "beijing_tong_number": "北京通号",
    "hotline": "服务热线",
}
#: Those that are pictures: drawn from a text (`data-content`), or from the photo.
PICTURES = {"photo": "照片", "qr_code": "二维码", "bar_code": "条码", "stage_colour": "学段底色"}

STAGE_CODES = {"小学": "primary", "初中": "junior", "高中": "senior"}


@dataclass(frozen=True, slots=True)
class Contents:
    """`texts` by the names of `FIELDS` (an empty one is not drawn), `stage` a value of STAGE_CODES or "".

    `photo` is a JPEG where the kind prints one.
    """

    texts: dict[str, str]
    stage: str = ""
    photo: bytes | None = field(default=None, repr=False)


def fitted(width_of: Callable[[int], float], size: int, least: int, room: float) -> int | None:
    """The largest type size from `size` down to `least` at which the text fits into `room`, or None."""
    return next((each for each in range(size, least - 1, -1) if width_of(each) <= room), None)
