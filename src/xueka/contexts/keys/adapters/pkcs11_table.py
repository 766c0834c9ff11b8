"""How a PKCS#11 module is reached, and what it can do: the mechanism table (data/softhsm2.toml)."""

import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import PyKCS11

from xueka.kernel.errors import BadInput

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
DEFAULT_TABLE = Path(__file__).parent.parent / "data" / "softhsm2.toml"


@dataclass(frozen=True, slots=True)
class Algorithm:
    """PKCS#11 constants of one algorithm; `key_size` in bytes."""

    key_type: int
    generate: int
    encrypt: int
    derive: int
    key_size: int = 16


@dataclass(frozen=True, slots=True)
class Table:
    """`block`: the algorithm of keys that wrap others, with its two mechanisms."""

    algorithms: dict[str, Algorithm]
    block: str
    wrap: int
    mac: int

    @classmethod
    def read(cls, path: Path) -> "Table":
        """Raises BadInput `PKCS11_TABLE`."""
        try:
            given = tomllib.loads(path.read_text("utf-8"))
            algorithms = {
                name: Algorithm(**{part: _constant(part, value) for part, value in parts.items()})
                for name, parts in given["algorithms"].items()
            }
            block = given["block"]
            found = cls(
                algorithms,
                block["algorithm"],
                _constant("wrap", block["wrap"]),
                _constant("mac", block["mac"]),
            )
            if found.block != "aes" or not set(algorithms) <= {"3des", "sm4", "sm1", "aes"}:
                raise ValueError(found.block)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadInput(
                "PKCS11_TABLE",
                "密码机的机制表不能使用。",
                where=str(path),
                found=str(error)[:100],
                expected="与 softhsm2.toml 相同的结构；常量用 PKCS#11 的名称或数字",
                action="请按密钥方案文档改正机制表。",
            ) from None
        return found


@dataclass(frozen=True, slots=True)
class Module:
    """Where the module, its token and the PIN are. The PIN is read when a session is opened, and not kept."""

    library: str
    token: str
    pin_file: Path
    table: Table = field(repr=False)

    @classmethod
    def configured(cls) -> "Module":
        """By `XUEKA_PKCS11_MODULE`, `_TOKEN` (label), `_PIN_FILE`, `_TABLE`. Raises BadInput."""
        token, pin = os.environ.get("XUEKA_PKCS11_TOKEN", ""), os.environ.get("XUEKA_PKCS11_PIN_FILE", "")
        if not token or not pin:
            raise BadInput(
                "PKCS11_SETTINGS",
                "密码机的设置不完整。",
                found=f"XUEKA_PKCS11_TOKEN={token} XUEKA_PKCS11_PIN_FILE={pin}",
                expected="令牌名称和 PIN 文件",
                action="请设置这两个环境变量后重新启动。",
            )
        table = Table.read(Path(os.environ.get("XUEKA_PKCS11_TABLE") or DEFAULT_TABLE))
        return cls(os.environ.get("XUEKA_PKCS11_MODULE") or SOFTHSM, token, Path(pin), table)


def _constant(part: str, value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    prefix = "CKK_" if part == "key_type" else "CKM_"
    found = getattr(PyKCS11, value, None) if isinstance(value, str) and value.startswith(prefix) else None
    if not isinstance(found, int):
        raise ValueError(f"{part} = {value}")
    return found
