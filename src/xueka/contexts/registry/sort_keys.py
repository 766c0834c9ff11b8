"""The order of names in lists: pinyin without tones, by character; staff correct what it gets wrong."""

import os
import re
from functools import lru_cache

# Readings that differ from the commonest reading of the character, when it is a surname.
_SURNAMES = {
    "万俟": "mo qi",
    "单于": "chan yu",
    "尉迟": "yu chi",
    "澹台": "tan tai",
    "长孙": "zhang sun",
    "单": "shan",
    "解": "xie",
    "曾": "zeng",
    "仇": "qiu",
    "查": "zha",
    "盖": "ge",
    "朴": "piao",
    "区": "ou",
    "繁": "po",
    "缪": "miao",
    "员": "yun",
    "种": "chong",
    "秘": "bi",
    "冼": "xian",
    "洗": "xian",
    "折": "she",
    "黑": "he",
    "乐": "yue",
    "覃": "qin",
    "翟": "zhai",
    "召": "shao",
    "祭": "zhai",
    "能": "nai",
    "佴": "nai",
    "阚": "kan",
    "卜": "bu",
    "宓": "fu",
    "郇": "xun",
    "颉": "xie",
    "句": "gou",
}
_RARE = {"𠮷": "ji"}  # characters that the dictionary lacks


_PARTS = re.compile(r"[A-Za-z'’-]+|.", re.DOTALL)  # a foreign name is one syllable


class _Readings(dict[str, str]):
    """Character or foreign word → syllable, looked up once; what has no reading stands for itself."""

    def __missing__(self, char: str) -> str:
        # Characters are read singly: pypinyin need not load its phrases, which take a moment and much memory.
        os.environ.setdefault("PYPINYIN_NO_PHRASES", "1")
        from pypinyin import lazy_pinyin

        reading = "" if char in " ·•." else lazy_pinyin(char)[0].lower()
        self[char] = reading
        return reading


_readings = _Readings(_RARE)
LIMIT = 200


def sort_key(name: str) -> str:
    """张文轩 → `zhang wen xuan`."""
    surname = _surname(name[:2])
    rest = name[len(surname) :]
    foreign = rest and min(rest) < "\x80"
    syllables = [_readings[part] for part in (_PARTS.findall(rest) if foreign else rest)]
    if surname:
        syllables.insert(0, _SURNAMES[surname])
    return " ".join(filter(None, syllables))[:LIMIT]


@lru_cache(maxsize=65536)
def _surname(beginning: str) -> str:
    """The surname of irregular reading that the name begins with, else nothing."""
    if beginning in _SURNAMES and len(beginning) == 2:
        return beginning
    return beginning[:1] if beginning[:1] in _SURNAMES else ""
