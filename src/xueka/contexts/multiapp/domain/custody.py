"""What must be said when a secure access module changes hands, is loaded or destroyed."""

import re
from dataclasses import dataclass

from xueka.kernel.errors import BadInput, Refused

_SERIAL = re.compile(r"[0-9A-Z][0-9A-Z-]{3,31}", re.ASCII)
#: Versions that may go out in a module: what cards answer to now.
USABLE = ("active", "verify_only")


@dataclass(frozen=True, slots=True)
class Slip:
    """A signed paper: who gave, who received, its number, and a witness if there was one."""

    given_by: str
    received_by: str
    document: str
    witness: str = ""

    def check(self) -> None:
        """Raises BadInput `SLIP_INCOMPLETE`, `SLIP_ONE_PERSON`."""
        for what, said in (
            ("交出人", self.given_by),
            ("接收人", self.received_by),
            ("交接单编号", self.document),
        ):
            if not said.strip():
                raise BadInput("SLIP_INCOMPLETE", f"请填写{what}。", where=what)
        if self.given_by.strip() == self.received_by.strip():
            raise BadInput(
                "SLIP_ONE_PERSON",
                "交出人和接收人是同一个人。",
                found=self.given_by.strip(),
                expected="两个人签字",
            )
        for said in (self.given_by, self.received_by, self.witness):
            if len(said.strip()) > 64:
                raise BadInput("SLIP_LONG", "姓名最多 64 个字。", found=said[:20])
        if len(self.document.strip()) > 100:
            raise BadInput("SLIP_LONG", "交接单编号最多 100 个字。", found=self.document[:20])


@dataclass(frozen=True, slots=True)
class Loading:
    """A key version that was put into a module: the number people know and the check value they read off."""

    label: str
    version: int
    kcv: str


def read_loadings(lines: str) -> list[Loading]:
    """What was loaded, one key a line: «密钥 版本 校验值». Raises BadInput `SAM_KEYS` with the line."""
    found = []
    for number, line in enumerate(lines.splitlines(), 1):
        if not (parts := line.replace("，", " ").replace(",", " ").split()):
            continue
        version = parts[1].removeprefix("v") if len(parts) > 1 else ""
        if len(parts) < 3 or not version.isascii() or not version.isdigit():
            raise BadInput(
                "SAM_KEYS",
                f"第 {number} 行：应为密钥名称、版本和校验值。",
                where=f"第 {number} 行",
                found=line.strip()[:60],
                expected="例如 education.adf.external 1 8baf47",
            )
        found.append(Loading(parts[0], int(version), "".join(parts[2:])))
    return found


def check_serial(text: str) -> str:
    """A module's number, in capitals. Raises BadInput `SAM_SERIAL`."""
    serial = text.strip().upper()
    if not _SERIAL.fullmatch(serial):
        raise BadInput(
            "SAM_SERIAL", "安全模块编号的格式不对。", found=text[:40], expected="4 至 32 位字母、数字、连字符"
        )
    return serial


def check_loading(label: str, number: int, state: str, kcv: str, read: str) -> None:
    """Whether a version may be in a module. Raises Refused `KEY_STATE`, `KCV_MISMATCH`."""
    if state not in USABLE:
        raise Refused(
            "KEY_STATE",
            f"密钥 {label} 第 {number} 版不在使用中，不能装入或带出。",
            where=label,
            found=f"第 {number} 版",
            expected="使用中或仅验证的版本",
        )
    if read.strip().lower().replace(" ", "") != kcv:
        raise Refused(
            "KCV_MISMATCH",
            f"密钥 {label} 第 {number} 版的校验值不符。",
            where=label,
            found=read[:20],
            expected="台账中的校验值",
            action="装入的不是这个密钥：请清除该模块，查明原因后重装。",
        )


def check_destruction(done_by: str, witness_1: str, witness_2: str, document: str) -> dict[str, str]:
    """Three different people and a paper. Raises BadInput `DESTRUCTION_PEOPLE`."""
    said = {
        "done_by": done_by.strip()[:64],
        "witness_1": witness_1.strip()[:64],
        "witness_2": witness_2.strip()[:64],
        "document": document.strip()[:100],
    }
    people = {said["done_by"], said["witness_1"], said["witness_2"]}
    if len(people) < 3 or not all(said.values()):
        raise BadInput(
            "DESTRUCTION_PEOPLE",
            "销毁须写明销毁人、两位监销人和记录编号。",
            found="、".join(sorted(people)),
            expected="三个不同的人",
        )
    return said
