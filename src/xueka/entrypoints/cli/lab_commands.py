"""The card engineer's calculator, for test keys. It touches no database and keeps nothing."""

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from xueka.entrypoints.cli import arguments, common
from xueka.kernel.errors import BadInput
from xueka.platform.crypto import card_ciphers

app = typer.Typer(help="卡片密码运算（只用测试密钥，不碰数据库）。", no_args_is_help=True)


class Diversifying(StrEnum):
    TRIPLE_DES = "3des"
    SM4 = "sm4"


class Securing(StrEnum):
    DES = "des"
    TRIPLE_DES = "3des"
    SM4 = "sm4"


class Checking(StrEnum):
    TRIPLE_DES = "3des"
    SM4 = "sm4"
    AES = "aes"


Key = Annotated[str, typer.Option("--key", metavar="HEX", help="测试密钥，十六进制。")]


@app.command()
def diversify(
    alg: Annotated[Diversifying, typer.Option("--alg", help="算法。")],
    key: Key,
    factor: Annotated[
        list[str],
        typer.Option("--factor", metavar="HEX", help="分散因子，8 字节；多级时依次给出，外层在前。"),
    ],
    as_json: common.Json = False,
) -> None:
    """按分散因子逐级分散密钥。"""
    master, factors = _hex("--key", key), [_hex("--factor", one) for one in factor]
    derived = arguments.read(lambda given: card_ciphers.diversify(alg, master, *given), factors)
    _answer({"key": derived.hex(), "kcv": card_ciphers.kcv(alg, derived)}, as_json)


@app.command()
def mac(
    alg: Annotated[Securing, typer.Option("--alg", help="算法。")],
    key: Key,
    challenge: Annotated[
        str, typer.Option("--challenge", metavar="HEX", help="卡片给出的随机数，4 或 8 字节。")
    ],
    apdu: Annotated[str, typer.Option("--apdu", metavar="HEX", help="命令头、Lc（已计入 MAC）与数据。")],
    as_json: common.Json = False,
) -> None:
    """安全报文的 MAC（4 字节）。"""
    secret, rnd, data = _hex("--key", key), _hex("--challenge", challenge), _hex("--apdu", apdu)
    made = arguments.read(lambda given: card_ciphers.mac(alg, secret, rnd, given), data)
    _answer({"mac": made.hex()}, as_json)


@app.command()
def encrypt(
    alg: Annotated[Securing, typer.Option("--alg", help="算法。")],
    key: Key,
    data: Annotated[str, typer.Option("--data", metavar="HEX", help="数据，十六进制。")],
    pad: Annotated[bool, typer.Option("--pad", help="先按 80 00 … 填充；恰好整块时也另加一块。")] = False,
    times: Annotated[
        int,
        typer.Option("--times", min=1, max=1_000_000, help="连续加密的次数；SM4 标准示例 2 为一百万次。"),
    ] = 1,
    as_json: common.Json = False,
) -> None:
    """按 ECB 加密。"""
    secret, plain = _hex("--key", key), _hex("--data", data)
    cipher = card_ciphers.pad_80(plain, alg) if pad else plain
    for _ in range(times):
        cipher = arguments.read(lambda given: card_ciphers.encrypt(alg, secret, given), cipher)
    _answer({"cipher": cipher.hex()}, as_json)


@app.command()
def kcv(
    alg: Annotated[Checking, typer.Option("--alg", help="算法。")],
    key: Key,
    as_json: common.Json = False,
) -> None:
    """密钥校验值：加密全零分组，取前 3 字节。"""
    secret = _hex("--key", key)
    _answer({"kcv": arguments.read(lambda given: card_ciphers.kcv(alg, given), secret)}, as_json)


@app.command()
def read(
    profile: Annotated[Path, typer.Option("--profile", metavar="FILE", help="卡片结构文件。")],
    application: Annotated[
        str, typer.Option("--application", metavar="CODE", help="应用的代码，例如 transit。")
    ],
    file: Annotated[str, typer.Option("--file", metavar="ID", help="文件标识，例如 0015。")],
    data: Annotated[str, typer.Option("--data", metavar="HEX", help="卡片返回的数据，不含状态字。")],
    as_json: common.Json = False,
) -> None:
    """按卡片结构（或合作方应用的数据图）读出一个文件的各项内容。"""
    content, raw = common.content_of(profile), _hex("--data", data)
    common.without_database()
    from xueka.contexts.personalization import api as personalization

    places = {each.code: each for each in arguments.read(personalization.read_profile, content).applications}
    here = places.get(application)
    files = [(each.id, each.fields) for each in here.files] if here else []
    maps = [(each.id, each.fields) for each in here.maps] if here else []
    known: dict[str, Sequence[personalization.Stretch]] = {**dict(files), **dict(maps)}
    if file not in known:
        offered = list(known if here else places)
        arguments.wrong_usage(
            BadInput(
                "LAB_FILE",
                "卡片结构里没有这个文件。" if here else "卡片结构里没有这个应用。",
                found=file if here else application,
                expected="、".join(offered) or "这个应用没有写明文件",
            )
        )
    _answer(dict(personalization.decode(known[file], raw)), as_json)


def _hex(option: str, text: str) -> bytes:
    """The bytes that an option names; blanks between them are allowed, as people copy them from manuals."""

    def parse(given: str) -> bytes:
        digits = "".join(given.split())
        expected = "十六进制数字 0–9、a–f，成对书写"
        problem = ""
        for place, digit in enumerate(digits, start=1):
            if digit not in "0123456789abcdefABCDEF":
                problem = f"第 {place} 位是“{digit}”"
                break
        else:
            if len(digits) % 2 or not digits:
                problem = f"{len(digits)} 位" if digits else "空"
        if problem:
            raise BadInput(
                "HEX_INVALID",
                "不是完整的十六进制数。",
                where=option,
                found=problem,
                expected=expected,
                action="请改正后再试。",
            )
        return bytes.fromhex(digits)

    return arguments.read(parse, text)


def _answer(result: dict[str, str], as_json: bool) -> None:
    lines = "".join(f"{name}: {value}\n" for name, value in result.items())
    common.answer(result, as_json, lambda: sys.stdout.write(lines))
