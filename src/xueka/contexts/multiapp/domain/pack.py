"""The documents of an integration pack: what a partner's engineers need, and no key.

The keys of the test card are made of their names by a published rule: nobody can take them for secrets, and
everybody can make the same card.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from xueka.contexts.multiapp.domain.grants import FILE_TYPES, KEY_USAGES, condition_word, conditions_words

TEST_MARK = "XUEKA PUBLIC TEST KEY"
TEST_CARD = "990000000018"
TEST_FACTOR = TEST_CARD[-16:].rjust(16, "0")
"""Diversification factor of the test card, 8 bytes, by the rule of real cards (card-profile.md §3)."""


@dataclass(frozen=True, slots=True)
class PackKey:
    """A granted key in its present version; nothing here opens a card."""

    label: str
    title: str
    usage: str
    algorithm: str
    version: int
    kcv: str


@dataclass(frozen=True, slots=True)
class PackHead:
    """What the pack is about."""

    grant: str
    version: int
    unit: str
    purpose: str
    contract: str
    valid_from: date
    valid_until: date
    kind: str
    kind_name: str
    directory: str
    aid: str
    fid: str
    size: int
    conditions: Mapping[str, str]
    profile: str
    schools: tuple[str, ...]
    fingerprint: str
    made_on: date


def test_master(label: str, sm3: Callable[[bytes], bytes]) -> bytes:
    """The 16 bytes of a test master key: the first half of SM3 over the mark, a blank and the label."""
    return sm3(f"{TEST_MARK} {label}".encode())[:16]


def as_json(value: Any) -> bytes:
    """JSON as people can read it, the same for the same value."""
    return (json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True, default=str) + "\n").encode()


def grant_json(head: PackHead, files: Sequence[Mapping[str, Any]], keys: Sequence[PackKey]) -> bytes:
    return as_json(
        {
            "format": "xueka-grant-1",
            **asdict(head),
            "files": list(files),
            "keys": [asdict(key) for key in keys],
        }
    )


def readme(head: PackHead, files: Sequence[Mapping[str, Any]], keys: Sequence[PackKey]) -> bytes:
    """The pack's first page, in Chinese."""
    rows = [
        f"# 学生卡应用接入资料 {head.grant} 第 {head.version} 版",
        "",
        f"{head.unit} · {head.purpose} · {head.made_on}",
        "",
        "本资料**不含任何正式密钥**。密钥装在安全模块（SAM）里，凭交接单发给贵单位；校验值用来核对。",
        "",
        "## 授权",
        "",
        f"- 合同：{head.contract}",
        f"- 期限：{head.valid_from} 至 {head.valid_until}",
        f"- 卡种：{head.kind_name}（`{head.kind}`），卡结构 {head.profile}",
        f"- 范围：{'、'.join(head.schools) if head.schools else '全市'}",
        "",
        "## 卡上目录",
        "",
        f"- 名称：{head.directory}",
        f"- 应用标识（AID）：`{head.aid}`",
        f"- 文件号（FID）：`{head.fid}`",
        f"- 空间：{head.size} 字节",
        f"- 条件：{conditions_words(head.conditions) or '由卡结构规定'}",
        "",
        "## 文件",
        "",
        "| 文件号 | 名称 | 类型 | 字节 | 读 | 写 |",
        "|---|---|---|---|---|---|",
    ]
    rows += [
        f"| `{each['id']}` | {each['title']} | {FILE_TYPES[each['type']]} | {each['size']} "
        f"| {condition_word(each['read'])} | {condition_word(each['write'])} |"
        for each in files
    ]
    rows += ["", "## 密钥", "", "| 密钥 | 用途 | 算法 | 版本 | 校验值 |", "|---|---|---|---|---|"]
    rows += [
        f"| {each.title} `{each.label}` | {KEY_USAGES[each.usage]} | {each.algorithm.upper()} "
        f"| {each.version} | `{each.kcv}` |"
        for each in keys
    ]
    rows += [
        "",
        "卡片密钥由主密钥按 8 字节因子分散，因子是卡号的后 16 位数字，不足的前面补 0。",
        "3DES：左半为因子的密文，右半为因子取反的密文。SM4：因子接上因子取反，整组加密。",
        "",
        "## 测试卡",
        "",
        "`test-card.json` 说明一张虚拟卡：结构与正式卡相同，密钥是**公开的测试密钥**，由名称算出",
        f"（SM3 摘要的前 16 字节，摘要内容为 `{TEST_MARK} ` 加密钥名称）。",
        "不得用于正式卡，正式的机具不得接受它。",
        "",
        "## 联网接口",
        "",
        "卡片有效性查询和黑名单下载见市级平台的 `/api/partner/v1/docs`。",
        "凭证号和密码由市级运营开通，只显示一次；请放在服务器的保密配置里，不写进机具和代码。",
        "换发时新旧并用一段时间。",
        "",
        "黑名单有签名，用 `hot-list-sign.pub.pem` 验证；公钥指纹请与市级运营电话核对：",
        "",
        f"    {head.fingerprint}",
        "",
    ]
    return "\n".join(rows).encode()


def test_card(
    head: PackHead,
    files: Sequence[Mapping[str, Any]],
    keys: Sequence[PackKey],
    derived: Mapping[str, tuple[str, str, str]],
) -> bytes:
    """The virtual card; `derived` are (master, card key, card key's check value) by label, in hexadecimal.

    A key that only a hardware module can compute with is not among them.
    """
    return as_json(
        {
            "format": "xueka-test-card-1",
            "warning": "公开的测试密钥，不得用于正式卡 / PUBLIC TEST KEYS, NEVER FOR REAL CARDS",
            "card_number": TEST_CARD,
            "factor": TEST_FACTOR,
            "directory": {"aid": head.aid, "fid": head.fid, "size": head.size},
            "files": list(files),
            "keys": [
                {
                    "label": each.label,
                    "usage": each.usage,
                    "algorithm": each.algorithm,
                    "test_master": derived[each.label][0],
                    "card_key": derived[each.label][1],
                    "card_key_kcv": derived[each.label][2],
                }
                for each in keys
                if each.label in derived
            ],
        }
    )
