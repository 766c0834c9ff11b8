"""Reasons: why somebody applies, and why a reviewer says no."""

#: Why a card is applied for (domain facts §1.2, steps 6 and 7).
REASONS = {
    "new": "新领",
    "lost": "遗失补卡",
    "damaged": "损坏换卡",
    "data_change": "信息变更换卡",
    "stage_change": "升学段换卡",
    "transfer": "转学换卡",
}

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
