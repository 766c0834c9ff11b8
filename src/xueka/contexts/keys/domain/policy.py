"""Which version of which key may be used for what; nothing is used that this module has not agreed to."""

from collections.abc import Collection

from xueka.contexts.keys.domain import factors
from xueka.contexts.keys.domain import vocabulary as v
from xueka.contexts.keys.domain.transitions import ACTIVE, KEY_VERSION, VERIFY_ONLY
from xueka.kernel.errors import BadInput, Refused

#: An unnamed version is the active one; a named one may also be one that only older cards still answer to.
USABLE = (ACTIVE, VERIFY_ONLY)
LONGEST_PURPOSE, LONGEST_SUBJECT = 48, 64


def check_use(label: str, version: int, state: str, usages: Collection[str], usage: str) -> None:
    """Raises Refused `KEY_STATE` or `KEY_USAGE`."""
    if state not in USABLE:
        raise Refused(
            "KEY_STATE",
            f"密钥 {label} 第 {version} 版{KEY_VERSION.state(state).label}，不能使用。",
            where=label,
            found=KEY_VERSION.state(state).label,
            expected="、".join(KEY_VERSION.state(code).label for code in USABLE),
            action="请由密钥保管人两人启用一个版本。",
        )
    if usage not in usages:
        raise Refused(
            "KEY_USAGE",
            f"密钥 {label} 不许用于“{v.USAGES[usage]}”。",
            where=label,
            found="、".join(v.USAGES[code] for code in usages) or "无",
            expected=v.USAGES[usage],
            action="请核对所用的密钥；用途在登记密钥时定下，不能更改。",
        )


def check_reason(purpose: str, subject: str) -> None:
    """Every use says why and for what. Raises BadInput `KEY_PURPOSE`."""
    for what, text, longest in (("用途", purpose, LONGEST_PURPOSE), ("对象", subject, LONGEST_SUBJECT)):
        if not 1 <= len(text) <= longest:
            raise BadInput(
                "KEY_PURPOSE",
                f"使用密钥须说明{what}。",
                where=what,
                found=text[:80],
                expected=f"1 至 {longest} 个字符",
            )


def check_definition(
    label: str, kind: str, algorithm: str, usages: Collection[str], *, drill: bool, level: str = ""
) -> str:
    """The level of a key that is to be registered, when everything fits; unless said, that of its type.

    Raises BadInput `KEY_LABEL`, `KEY_TYPE`, `KEY_LEVEL`, `KEY_ALGORITHM`, `KEY_USAGE_UNKNOWN`.
    """
    v.check_label(label, drill=drill)
    found = v.TYPES.get(kind)
    if found is None:
        raise BadInput(
            "KEY_TYPE", f"密钥 {label}：没有这种类型。", where=label, found=kind, expected="、".join(v.TYPES)
        )
    level = level or found.level
    if level not in found.levels:
        raise BadInput(
            "KEY_LEVEL",
            f"密钥 {label}：{found.label}不能在这一层。",
            where=label,
            found=level,
            expected="、".join(found.levels),
        )
    if algorithm not in found.algorithms:
        raise BadInput(
            "KEY_ALGORITHM",
            f"密钥 {label}：{found.label}不能用这种算法。",
            where=label,
            found=algorithm,
            expected="、".join(found.algorithms),
        )
    allowed = found.usages_at(level)
    if not usages or (wrong := sorted(set(usages) - set(allowed))):
        raise BadInput(
            "KEY_USAGE_UNKNOWN",
            f"密钥 {label}：{found.label}不能有这种用途。",
            where=label,
            found="、".join(wrong) if usages else "无",
            expected="、".join(allowed),
        )
    return level


def check_source(label: str, level: str, source: str, factor: str) -> str:
    """The factor (16 hexadecimal digits) by which a master is derived from `source`; empty without one.

    Raises BadInput `KEY_SOURCE`, `KEY_FACTOR`.
    """
    if not source and not factor:
        return ""
    if not (source and factor and v.SOURCES.get(level)):
        raise BadInput(
            "KEY_SOURCE",
            f"密钥 {label}：上级主密钥和分散因子要一起写，只有发卡方和应用主密钥由上级分散。",
            where=label,
            found=f"{v.LEVELS[level]}；上级 {source or '无'}；因子 {factor or '无'}",
            expected="两项都写，或都不写",
        )
    return factors.from_digits(factor).hex()
