"""What the fields of the bureau's text files may contain (docs/interfaces/card-bureau.md §5, §10)."""

import re

from xueka.contexts.production.domain.bureau.gb18030 import STANDARD_FOR

BATCH_NUMBER = r"[A-Z0-9][A-Z0-9-]{3,23}"
OPAQUE_NUMBER = r"[0-9A-Za-z]{1,32}"
UID = r"(?:[0-9A-F]{8}|[0-9A-F]{14}|[0-9A-F]{16}|[0-9A-F]{20})"

# Control characters (line ends among them), lone surrogates, private use.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ue000-\uf8ff\U000f0000-\U0010ffff]")
_ESCAPE = re.compile(r"\\(.?)", re.DOTALL)
_ESCAPED = {"\\": "\\", "p": "|"}


def escape(text: str) -> str:
    r"""`\` → `\\`, `|` → `\p`, so that a line may be split at every `|`."""
    return text.replace("\\", "\\\\").replace("|", "\\p")


def unescape(text: str) -> str:
    """The inverse. Raises ValueError for a backslash that begins nothing known."""

    def original(match: re.Match[str]) -> str:
        try:
            return _ESCAPED[match[1]]
        except KeyError:
            raise ValueError(match[0]) from None

    return _ESCAPE.sub(original, text) if "\\" in text else text


def text_problem(text: str, longest: int, *, shortest: int = 0) -> str | None:
    """Why `text` (not escaped) is no text of `shortest` to `longest` characters, in Chinese; or None."""
    if not shortest <= len(text) <= longest:
        return f"长度应为 {shortest} 至 {longest} 个字，实际为 {len(text)} 个字" if text else "不能为空"
    if found := _FORBIDDEN.search(text):
        character = found[0]
        name = f"U+{ord(character):04X}"
        if standard := STANDARD_FOR.get(character):
            proper = f"{standard}（U+{ord(standard):04X}）"
            return f"第 {found.start() + 1} 个字 {name} 是旧的自造字，应改为标准汉字 {proper}"
        kind = "控制字符" if character < "\xa0" else "自造字（私有区字符），无法印制"
        return f"第 {found.start() + 1} 个字 {name} 是{kind}"
    if text != text.strip(" "):
        return "首尾不能有空格"
    return None
