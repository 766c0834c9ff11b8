"""The words of key management: levels of the hierarchy, types, algorithms, usages, what goes with what."""

import re
from dataclasses import dataclass

from xueka.kernel.errors import BadInput

LOCAL, KEK, CITY, ISSUER, MASTER = "local", "kek", "city", "issuer", "master"
TRANSPORT, PLATFORM = "transport", "platform"
LEVELS = {
    LOCAL: "本地主密钥",
    KEK: "密钥加密密钥",
    CITY: "城市主密钥",
    ISSUER: "发卡方主密钥",
    MASTER: "应用主密钥",
    TRANSPORT: "传输密钥",
    PLATFORM: "系统密钥",
}

#: Masters by level → the levels whose keys they may be derived from. A city's is brought in or generated.
SOURCES: dict[str, tuple[str, ...]] = {CITY: (), ISSUER: (CITY,), MASTER: (CITY, ISSUER)}

DERIVE, DIVERSIFY, MAC, WRAP, EXPORT = "derive", "diversify", "mac", "wrap", "export"
SEAL, SIGN = "seal", "sign"
USAGES = {
    DERIVE: "分散下级主密钥",
    DIVERSIFY: "分散卡密钥",
    MAC: "加密和计算 MAC",
    WRAP: "保护其他密钥",
    EXPORT: "可在传输密钥下导出",
    SEAL: "加密存储的信息",
    SIGN: "签名、登录",
}
#: What keys are used for, as those who use them say it.
PURPOSES = {
    "personalization": "柜台写卡",
    "production": "卡厂制卡",
    "export": "导出",
    "derivation": "分散下级主密钥",
}

THREE_DES, SM4, SM1, AES = "3des", "sm4", "sm1", "aes"
SM2, HMAC_SM3, ED25519 = "sm2", "hmac-sm3", "ed25519"
ALGORITHMS = {
    THREE_DES: "3DES",
    SM4: "SM4",
    SM1: "SM1",
    AES: "AES",
    SM2: "SM2",
    HMAC_SM3: "HMAC-SM3",
    ED25519: "Ed25519",
}
#: SM1 has no public specification: only a hardware module can hold and use such a key.
HARDWARE_ONLY = frozenset({SM1})
_CARD_ALGORITHMS = (THREE_DES, SM4, SM1)
#: A module that knows no SM4 (SoftHSM) wraps under AES.
_WRAPPING = (SM4, AES)

#: Test keys of a drill: a store of their own, and this in front of every label.
DRILL_PREFIX = "drill."

LABEL = re.compile(r"[a-z][a-z0-9_]{0,23}(\.[a-z][a-z0-9_]{0,23}){0,5}")
KCV = re.compile(r"[0-9a-f]{6}")


@dataclass(frozen=True, slots=True)
class KeyType:
    """`level`: where it stands unless said otherwise; `usages` it may have at most there; `algorithms`."""

    code: str
    label: str
    level: str
    usages: tuple[str, ...]
    algorithms: tuple[str, ...]

    @property
    def levels(self) -> tuple[str, ...]:
        """Where it may stand: each type of master exists for a city, an issuer and an application."""
        return tuple(SOURCES) if self.level == MASTER else (self.level,)

    def usages_at(self, level: str) -> tuple[str, ...]:
        """A city's and an issuer's master open no card: others are derived from them."""
        return (DERIVE, EXPORT) if level in (CITY, ISSUER) else self.usages


def _types(*types: KeyType) -> dict[str, KeyType]:
    return {each.code: each for each in types}


_MASTER_USAGES = (DIVERSIFY, EXPORT)
TYPES: dict[str, KeyType] = _types(
    KeyType("local", "本地主密钥", LOCAL, (WRAP,), _WRAPPING),
    KeyType("kek", "密钥加密密钥", KEK, (WRAP,), _WRAPPING),
    KeyType("control", "主控密钥", MASTER, _MASTER_USAGES, _CARD_ALGORITHMS),
    KeyType("maintain", "应用维护密钥", MASTER, _MASTER_USAGES, _CARD_ALGORITHMS),
    KeyType("internal", "内部认证密钥", MASTER, _MASTER_USAGES, _CARD_ALGORITHMS),
    KeyType("external", "外部认证密钥", MASTER, _MASTER_USAGES, _CARD_ALGORITHMS),
    KeyType("pin_unlock", "PIN 解锁密钥", MASTER, _MASTER_USAGES, _CARD_ALGORITHMS),
    KeyType("pin_reload", "PIN 重装密钥", MASTER, _MASTER_USAGES, _CARD_ALGORITHMS),
    KeyType("blank", "空白卡传输密钥", TRANSPORT, (MAC, EXPORT), _CARD_ALGORITHMS),
    KeyType("partner", "对外传输密钥", TRANSPORT, (WRAP, EXPORT), _WRAPPING),
    KeyType("batch", "批次传输密钥", TRANSPORT, (WRAP, EXPORT), _WRAPPING),
    KeyType("field", "字段加密密钥", PLATFORM, (SEAL,), (SM4,)),
    KeyType("index", "检索索引密钥", PLATFORM, (SEAL,), (HMAC_SM3,)),
    KeyType("signing", "签名密钥", PLATFORM, (SIGN,), (SM2,)),
    KeyType("login", "传输登录密钥", PLATFORM, (SIGN,), (ED25519,)),
)


def check_label(label: str, *, drill: bool = False) -> str:
    """The label as given, or BadInput `KEY_LABEL`."""
    right = bool(LABEL.fullmatch(label)) and len(label) <= 64 and label.startswith(DRILL_PREFIX) == drill
    if not right:
        raise BadInput(
            "KEY_LABEL",
            "密钥名称的格式不对。",
            found=label[:80],
            expected=(f"以 {DRILL_PREFIX} 开头，" if drill else f"不以 {DRILL_PREFIX} 开头，")
            + "小写英文单词用点分隔，例如 education.adf.internal，最多 64 个字符",
            action="请改正名称。",
        )
    return label


def check_kcv(text: str) -> str:
    """A key check value as people write it (spaces, capitals), in six lower-case digits."""
    kcv = "".join(text.split()).lower()
    if not KCV.fullmatch(kcv):
        raise BadInput(
            "KCV_FORMAT",
            "校验值的格式不对。",
            found=text[:20],
            expected="6 位十六进制数字",
            action="请核对后重新输入。",
        )
    return kcv
