"""Who can open a backup: whoever knows a passphrase, or k of n custodians together (crypto/sealing.py).

The custodians' public key stays with the system and seals the nightly backup; their sealed private key rides
in the head of every file. So the machine that makes backups cannot read them.
"""

from collections.abc import Callable, Sequence

from xueka.kernel.errors import BadInput, Refused
from xueka.platform.crypto import sealing
from xueka.platform.crypto.sealing import Custody, Seal, read_custody

__all__ = [
    "Custody",
    "Seal",
    "Unlock",
    "by_custody",
    "by_passphrase",
    "check_passphrase",
    "make_custody",
    "read_custody",
    "with_passphrase",
    "with_shares",
]

_BOUND = b"xueka backup"

Unlock = Callable[[Seal], bytes]


def by_passphrase(passphrase: str) -> Callable[[bytes], Seal]:
    """A function that wraps a content key. Raises BadInput `PASSPHRASE_SHORT`."""
    check_passphrase(passphrase)
    return lambda key: sealing.seal_to_passphrase(passphrase, key, _BOUND)


def by_custody(custody: Custody) -> Callable[[bytes], Seal]:
    """A function that wraps a content key for the custodians."""
    return lambda key: sealing.seal_to_custody(custody, key)


def with_passphrase(passphrase: str) -> Unlock:
    """A function that gives the content key of a file. It raises Refused `BACKUP_SECRET`."""

    def unlock(seal: Seal) -> bytes:
        if seal.get("kind") != "passphrase":
            raise _other_kind("这份备份由保管人封存，不能用口令打开。", "请用 --share 给出保管人的份额。")
        try:
            return sealing.open_by_passphrase(seal, passphrase, _BOUND)
        except sealing.NotOpened:
            raise Refused(
                "BACKUP_SECRET",
                "口令不对，备份没有打开。",
                action="没有读到任何内容。请用生成这份备份时的口令。",
            ) from None

    return unlock


def with_shares(shares: Sequence[str]) -> Unlock:
    """A function that gives the content key of a file, from the words of k custodians."""

    def unlock(seal: Seal) -> bytes:
        if seal.get("kind") != "custodians":
            raise _other_kind("这份备份由口令封存，不能用份额打开。", "请用 --passphrase-file 给出口令。")
        try:
            return sealing.open_by_shares(seal, shares, _BOUND)
        except sealing.SharesMissing as few:
            raise Refused(
                "BACKUP_SHARES",
                f"份额不够：需要 {few.needed} 位保管人，只有 {few.given} 份。",
                found=few.given,
                expected=few.needed,
                action="没有读到任何内容。请再请一位保管人。",
            ) from None
        except sealing.NotOpened:
            raise Refused(
                "BACKUP_SHARES",
                "这些份额打不开这份备份：有一份抄错，或属于另一次分割。",
                action="没有读到任何内容。请逐字核对每一份。",
            ) from None

    return unlock


def make_custody(threshold: int, names: Sequence[str]) -> tuple[Custody, list[str]]:
    """A new key pair and the words of each custodian. Raises BadInput `CUSTODY_NUMBERS`."""
    return sealing.make_custody(threshold, names, _BOUND)


def check_passphrase(passphrase: str) -> None:
    if len(passphrase) < sealing.SHORTEST:
        raise BadInput(
            "PASSPHRASE_SHORT",
            "备份口令太短。",
            found=f"{len(passphrase)} 个字符",
            expected=f"不少于 {sealing.SHORTEST} 个字符",
            action="请换一个更长的口令，并另行保管；没有口令，备份无法打开。",
        )


def _other_kind(message: str, action: str) -> Refused:
    return Refused("BACKUP_SECRET", message, action=action)
