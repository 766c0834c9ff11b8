"""The words a roster may use: school stages, student statuses, kinds of identity document."""

STAGES = {"小学": 6, "初中": 4, "高中": 3}
"""School stages and the highest grade of each (junior secondary has four years under the 5-4 system)."""

ENROLLED, SUSPENDED, GRADUATED, LEFT = "在校", "休学", "毕业", "转出"
GUEST = "借读"
PRESENT = (ENROLLED, GUEST, SUSPENDED)
"""Whoever has one of these statuses still belongs to the school."""

STATUSES = (ENROLLED, GUEST, SUSPENDED, GRADUATED, LEFT, "退学", "死亡")

ENDED_BY = {
    "moved": "转校",
    "class": "换班",
    "status": "学籍状态变更",
    "transfer": "转学",
    "promoted": "升级",
    "graduated": "毕业",
    "merged": "学校合并",
    "left": "离校",
    "taken_back": "撤回",
}
"""Why an enrolment ended. `taken_back`: the act that began it was taken back."""

CITIZEN_ID = "居民身份证"
NO_DOCUMENT = "无证件"

ID_TYPES = {
    CITIZEN_ID: ("身份证", "居民身份证件"),
    "港澳居民居住证": (),
    "台湾居民居住证": (),
    "护照": ("外国护照",),
    "港澳居民来往内地通行证": ("港澳通行证", "回乡证"),
    "台湾居民来往大陆通行证": ("台胞证",),
    "外国人永久居留身份证": ("外国人永久居留证",),
    "其他": ("其他证件",),
    NO_DOCUMENT: ("无",),
}
"""Kinds of identity document, with other spellings that are read as the same."""

CITIZEN_FORM = frozenset({CITIZEN_ID, "港澳居民居住证", "台湾居民居住证"})
"""Documents whose number is built like a citizen identity number (GB 11643) and tells birth date and sex."""

_ID_TYPE_NAMES = {name: kind for kind, names in ID_TYPES.items() for name in (kind, *names)}


def id_type(text: str) -> str | None:
    """The kind of document that `text` names, or None."""
    return _ID_TYPE_NAMES.get(text)


def id_key(kind: str, number: str) -> str:
    """What makes a document one and the same: its kind and number. The text behind the blind index."""
    return f"{kind}:{number}"
