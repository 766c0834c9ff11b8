"""What may be granted: terms, files, keys, and which changes need a second person."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from xueka.kernel.errors import BadInput, Refused

#: Changes of a grant that one person asks for and another one decides: event → what the screen says.
ASKED_FOR = {"renew": "续期", "resume": "恢复", "revoke": "收回", "release": "腾出空间"}
#: What a key may be granted for. Control keys, PIN keys and transport keys stay with the city.
KEY_USAGES = {"internal": "内部认证", "external": "外部认证", "maintain": "维护本应用"}
FILE_TYPES = {"binary": "二进制", "record": "定长记录", "cyclic": "循环记录"}
LONGEST_TERM = 10  # years, as a contract and no longer
_FID = re.compile(r"[0-9a-f]{4}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PartnerFile:
    """A file that the unit keeps in its directory. `read`, `write` of a card profile: free, never, key:…"""

    id: str
    title: str
    type: str
    size: int
    read: str
    write: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def check_term(begins: date, ends: date, contract_from: date, contract_until: date) -> None:
    """Raises BadInput `GRANT_TERM`: in order, inside the contract, no longer than ten years."""
    if ends < begins:
        raise BadInput(
            "GRANT_TERM", "授权的止日早于起日。", found=f"{begins} 至 {ends}", expected="止日不早于起日"
        )
    if begins < contract_from or ends > contract_until:
        raise BadInput(
            "GRANT_TERM",
            "授权期限超出合同期限。",
            found=f"{begins} 至 {ends}",
            expected=f"{contract_from} 至 {contract_until} 之内",
            action="请改期限，或先续签合同。",
        )
    if ends > begins.replace(year=begins.year + LONGEST_TERM, day=min(begins.day, 28)):
        raise BadInput("GRANT_TERM", "授权期限太长。", found=str(ends), expected=f"最长 {LONGEST_TERM} 年")


def check_size(size: int, room: int) -> None:
    """Raises Refused `GRANT_TOO_LARGE`."""
    if not 0 < size <= room:
        raise Refused(
            "GRANT_TOO_LARGE",
            "申请的空间放不进这个目录。",
            found=f"{size} 字节",
            expected=f"1 至 {room} 字节",
            action="请减小空间，或另选目录。",
        )


def read_files(lines: str, keys: Iterable[str]) -> list[PartnerFile]:
    """Files as people write them, one a line: «文件号 名称 类型 字节 读条件 写条件».

    Raises BadInput `GRANT_FILE` with the line.
    """
    known = {"free", "never", *(f"key:{label}" for label in keys)}
    found: list[PartnerFile] = []
    for number, line in enumerate(lines.splitlines(), 1):
        if not (parts := line.replace("，", " ").replace(",", " ").split()):
            continue

        def wrong(what: str, read: object, expected: str, line: int = number) -> BadInput:
            return BadInput(
                "GRANT_FILE", f"第 {line} 行：{what}。", where=f"第 {line} 行", found=read, expected=expected
            )

        if len(parts) != 6:
            raise wrong("应有六项", line.strip()[:60], "文件号 名称 类型 字节 读条件 写条件")
        fid, title, sort, size, read, write = parts
        fid = fid.lower()
        kinds = {label: code for code, label in FILE_TYPES.items()} | {code: code for code in FILE_TYPES}
        if not _FID.fullmatch(fid) or fid in {"3f00", "ffff", "0000"}:
            raise wrong("文件号不对", fid[:20], "4 位十六进制数字，例如 0001")
        if fid in {each.id for each in found}:
            raise wrong("文件号重复", fid, "每个文件号一次")
        if sort not in kinds:
            raise wrong("文件类型不对", sort[:20], "、".join(FILE_TYPES.values()))
        if not size.isascii() or not size.isdigit() or not 1 <= int(size) <= 4096:
            raise wrong("字节数不对", size[:20], "1 至 4096")
        for condition in (read, write):
            if condition not in known:
                raise wrong("条件不对", condition[:60], "、".join(sorted(known)))
        found.append(PartnerFile(fid, title[:32], kinds[sort], int(size), read, write))
    return found


def read_keys(lines: str) -> dict[str, str]:
    """Keys as people write them, one a line: «密钥 用途». Raises BadInput `GRANT_KEYS` with the line."""
    words = {label: code for code, label in KEY_USAGES.items()} | {code: code for code in KEY_USAGES}
    found: dict[str, str] = {}
    for number, line in enumerate(lines.splitlines(), 1):
        if not (parts := line.replace("，", " ").replace(",", " ").split()):
            continue
        if len(parts) != 2 or parts[1] not in words or parts[0] in found:
            raise BadInput(
                "GRANT_KEYS",
                f"第 {number} 行：应为密钥名称和用途，每个密钥一次。",
                where=f"第 {number} 行",
                found=line.strip()[:60],
                expected=f"例如 education.adf.external 外部认证；用途有 {'、'.join(KEY_USAGES.values())}",
            )
        found[parts[0]] = words[parts[1]]
    return found


def taken_by(files: Sequence[PartnerFile]) -> int:
    """Bytes that these files take in their directory: content, and the head that the card keeps of each."""
    return sum(each.size + 24 for each in files)


def check_key(
    label: str, title: str, kind: str, application: str, drill: bool, usage: str, area: str
) -> None:
    """Whether a held key may be granted for this use.

    Raises BadInput `GRANT_KEY_USAGE`, Refused `KEY_NOT_GRANTED`.
    """
    if usage not in KEY_USAGES:
        raise BadInput(
            "GRANT_KEY_USAGE",
            f"密钥 {label} 的用途不对。",
            where=label,
            found=usage,
            expected="、".join(KEY_USAGES.values()),
        )
    own = usage != "maintain" or application == area
    if drill or kind != usage or not own:
        raise Refused(
            "KEY_NOT_GRANTED",
            f"{title}（{label}）不能作“{KEY_USAGES[usage]}”授权给外单位。",
            where=label,
            found="演练密钥" if drill else KEY_USAGES.get(kind, kind),
            expected="内部认证、外部认证密钥，或本目录自己的维护密钥",
        )


def check_reason(reason: str) -> str:
    """The reason, trimmed. Raises BadInput `REASON_MISSING`."""
    if not reason.strip():
        raise BadInput("REASON_MISSING", "请写明理由。")
    return reason.strip()[:200]


def conditions_words(conditions: Mapping[str, str]) -> str:
    """`建立文件：密钥 control；清除：不许` as the screen shows it."""
    names = {"create": "建立文件", "erase": "清除文件"}
    return "；".join(f"{names.get(name, name)}：{condition_word(each)}" for name, each in conditions.items())


def condition_word(condition: str) -> str:
    if condition.startswith(("key:", "mf:")):
        return f"密钥 {condition.partition(':')[2]}"
    return {"free": "自由", "never": "不许"}.get(condition, condition)
