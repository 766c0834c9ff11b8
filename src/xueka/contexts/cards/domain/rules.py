"""Reasons of applicants and reviewers, doubts that deserve a look, and the printed validity."""

from datetime import date

#: Why a card is applied for (domain facts §1.2, steps 6 and 7).
REASONS = {
    "new": "新领",
    "lost": "遗失补卡",
    "damaged": "损坏换卡",
    "data_change": "信息变更换卡",
    "stage_change": "升学段换卡",
    "transfer": "转学换卡",
}

#: Who takes a card at a counter.
RECEIVERS = {"guardian": "监护人", "student": "学生本人", "officer": "学校卡管老师"}

#: One-key choices of a reviewer who sends an application back or refuses it.
REASON_CODES = {
    "photo_unclear": "照片不清晰",
    "photo_background": "照片背景不符合要求",
    "photo_other_person": "照片与本人不符",
    "data_mismatch": "学生信息与学籍不符",
    "duplicate": "重复申领",
    "not_enrolled": "学生不在本校就读",
    "reason_unproved": "申领原因缺少依据",
    "other": "其他（须写明）",
}

#: What makes a reviewer look twice; computed when an application is submitted.
DOUBTS = {
    "second_within_year": "一年内第二张卡",
    "transfer_other_district": "一年内跨区转学",
    "duplicate_person": "疑似同一人有两条学籍",
    "photo_background": "照片背景偏深",
    "photo_busy": "照片背景不是纯色",
    "photo_dark": "照片人像偏暗",
    "photo_small_face": "照片人像偏小",
    "photo_enlarged": "照片由小图放大",
    "photo_gray": "照片为黑白",
}

#: Student statuses that entitle to a card: formal and temporary registration alike (京教基[2007]17号).
ENTITLED = ("在校", "借读")


def validity(first_day: date, years: int) -> tuple[date, date]:
    """From `first_day` to the 31 August that ends the `years`-th school year, the present one counted."""
    school_year = first_day.year if first_day.month >= 9 else first_day.year - 1
    return first_day, date(school_year + years, 8, 31)
