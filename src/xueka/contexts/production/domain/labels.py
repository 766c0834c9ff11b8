"""How a class is written on a card and on its box."""

_NUMERALS = "一二三四五六七八九"
_SHORT = {"初中": "初", "高中": "高"}


def class_label(stage: str, grade: int, name: str) -> str:
    """一年级1班, 初二3班, 高三10班: stage and grade as people say them, then the name of the class."""
    numeral = _NUMERALS[grade - 1] if 1 <= grade <= len(_NUMERALS) else str(grade)
    head = f"{_SHORT[stage]}{numeral}" if stage in _SHORT else f"{numeral}年级"
    return f"{head}{name}"
