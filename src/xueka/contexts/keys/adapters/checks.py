"""What every store refuses in the same words."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from xueka.contexts.keys.domain.key_block import DERIVING, KEY_SIZES, KeySpec
from xueka.contexts.keys.ports import StoredKey
from xueka.kernel.errors import BadInput, Refused
from xueka.platform.crypto.card_ciphers import FACTOR_SIZE


def of_store(name: str, key: StoredKey) -> None:
    """Raises Refused `KEY_STORE_OTHER`."""
    if key.store != name:
        raise Refused(
            "KEY_STORE_OTHER",
            "这把密钥不在这个密钥库中。",
            found=key.store,
            expected=name,
            action="请在它所在的密钥库中使用，或由两人经密钥块转移。",
        )


def supported(algorithms: Collection[str], spec: KeySpec, *, place: str) -> None:
    """Raises Refused `KEY_ALGORITHM_UNSUPPORTED`."""
    if spec.algorithm not in algorithms:
        raise Refused(
            "KEY_ALGORITHM_UNSUPPORTED",
            f"{place}不能保存这种算法的密钥。",
            where=spec.label,
            found=spec.algorithm.upper(),
            expected="、".join(sorted(algorithms)).upper(),
            action="请换用支持该算法的密码机，或用密码机厂商的机制表（见密钥方案文档）。",
        )


def kind(spec: KeySpec, allowed: Collection[str], *, purpose: str) -> None:
    """Raises Refused `KEY_KIND`."""
    if spec.usage not in allowed:
        raise Refused(
            "KEY_KIND",
            f"密钥 {spec.label} 不能用来{purpose}。",
            where=spec.label,
            found=spec.usage,
            expected="、".join(sorted(allowed)),
            action="用途与密钥绑定，不能更改；请核对所用的密钥。",
        )


def derives(source: KeySpec, spec: KeySpec) -> None:
    """A master comes from one of its own type and algorithm, a level up. Raises Refused `KEY_KIND`."""
    kind(source, DERIVING, purpose="分散下级主密钥")
    level, _, of = source.usage.partition(".")
    below = {of, f"issuer.{of}"} if level == "city" else {of}
    if spec.algorithm != source.algorithm:
        below = set()
    kind(spec, below, purpose=f"由 {source.label} 分散得到")


def exportable(spec: KeySpec) -> None:
    """Raises Refused `KEY_NOT_EXPORTABLE`."""
    if not spec.exportable:
        raise Refused(
            "KEY_NOT_EXPORTABLE",
            f"密钥 {spec.label} 第 {spec.version} 版不可导出。",
            where=spec.label,
            action="是否可导出在生成时定下，不能更改。",
        )


def called(spec: KeySpec, name: tuple[str, int] | None) -> KeySpec:
    """The same kind of key under the label and number that it has here."""
    return spec if name is None else replace(spec, label=name[0], version=name[1])


def levels(factors: Sequence[bytes]) -> None:
    """At least one level, so that no master key goes onto a card. Raises BadInput `CARD_FACTOR_LENGTH`."""
    if not factors or any(len(factor) != FACTOR_SIZE for factor in factors):
        raise BadInput(
            "CARD_FACTOR_LENGTH",
            "分散因子的个数或长度不对。",
            found="、".join(f"{len(factor)} 字节" for factor in factors) or "无",
            expected=f"至少一级，每级 {FACTOR_SIZE} 字节",
        )


def combined(spec: KeySpec, components: Sequence[bytes]) -> bytes:
    """The exclusive or of the components. Raises BadInput `KEY_COMPONENTS`."""
    sizes = {len(component) for component in components}
    if len(components) < 2 or len(sizes) != 1 or not sizes <= set(KEY_SIZES[spec.algorithm]):
        raise BadInput(
            "KEY_COMPONENTS",
            "密钥分量的份数或长度不对。",
            where=spec.label,
            found="、".join(f"{len(component)} 字节" for component in components) or "无",
            expected=f"至少两份，每份 {' 或 '.join(map(str, KEY_SIZES[spec.algorithm]))} 字节",
            action="请保管人逐份重新输入，并核对各份的校验值。",
        )
    total = bytes(sizes.pop())
    for component in components:
        total = bytes(left ^ right for left, right in zip(total, component, strict=True))
    if not any(total):
        raise BadInput(
            "KEY_COMPONENTS",
            "各份分量相互抵消，得不到密钥。",
            where=spec.label,
            action="可能有一份输入了两次，请重新输入。",
        )
    return total


def gone(label: str) -> Refused:
    return Refused(
        "KEY_GONE",
        "密钥库中没有这把密钥。",
        where=label,
        action="它已被销毁，或密钥库文件与数据库不属于同一套系统；请从备份恢复密钥库。",
    )
