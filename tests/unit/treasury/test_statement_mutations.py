"""Mutated statements: every defect is named by line, column and reason, or the file is refused whole."""

import os
from collections import Counter
from collections.abc import Callable
from random import Random, SystemRandom
from typing import NamedTuple

import pytest

from tests.support import statements as made
from tests.support.size import dial
from xueka.contexts.treasury.api import check
from xueka.contexts.treasury.domain.formats.lines import WHOLE_LINE, Checked
from xueka.kernel.errors import BadInput

ROWS = 6
WHOLE = 0.5
"""How many files are spoilt in another way than in single cells."""
ZM_NAME = "INN26101488ZM_777290058110097"
Found = set[tuple[int, str, str]]


class Defect(NamedTuple):
    """What happens to a cell, and what must be said of it; `only` are the rows that it fits."""

    column: str
    change: Callable[[str], str]
    code: str
    only: str = ""


def _to(text: str) -> Callable[[str], str]:
    return lambda old: text


OF_A_ROW = {
    "LINE_AMOUNT", "LINE_CELLS", "LINE_CHANNEL_ID", "LINE_CURRENCY", "LINE_FEE", "LINE_FORM", "LINE_NUMBER",
    "LINE_STATE", "LINE_TEXT", "LINE_TIME", "LINE_TWICE", "LINE_WIDTH",
}  # fmt: skip
WECHAT = [
    Defect("交易时间", _to("2026-02-30 12:00:00"), "LINE_TIME"),
    Defect("交易时间", lambda old: old[:10], "LINE_TIME"),
    Defect("微信订单号", _to(""), "LINE_CHANNEL_ID"),
    Defect("微信订单号", lambda old: f"{old}中", "LINE_CHANNEL_ID"),
    Defect("商户订单号", lambda old: f"{old[:5]} {old[5:]}", "LINE_NUMBER"),
    Defect("商户订单号", _to(""), "LINE_NUMBER"),
    Defect("交易状态", _to("DONE"), "LINE_STATE"),
    Defect("应结订单金额", _to("2x.00"), "LINE_AMOUNT"),
    Defect("充值券退款金额", _to("-"), "LINE_AMOUNT"),
    Defect("货币种类", _to("USD"), "LINE_CURRENCY"),
    Defect("手续费", _to("0.1234567"), "LINE_FEE"),
    Defect("手续费", _to(""), "LINE_FEE"),
    Defect("订单金额", _to("二十"), "LINE_AMOUNT", "SUCCESS"),
    Defect("订单金额", _to("20.001"), "LINE_AMOUNT", "SUCCESS"),
    Defect("订单金额", _to("1e3"), "LINE_AMOUNT", "SUCCESS"),
    Defect("申请退款金额", _to("2,000.00"), "LINE_AMOUNT", "REFUND"),
    Defect("商户退款单号", _to(""), "LINE_NUMBER", "REFUND"),
    Defect("微信退款单号", _to("??"), "LINE_CHANNEL_ID", "REFUND"),
    Defect("退款状态", _to("GONE"), "LINE_STATE", "REFUND"),
    Defect("商品名称", _to("补\x07卡"), "LINE_TEXT"),
]
ALIPAY = [
    Defect("支付宝交易号", _to("\t"), "LINE_CHANNEL_ID"),
    Defect("商户订单号", _to("XK 1\t"), "LINE_NUMBER"),
    Defect("业务类型", _to("转账\t"), "LINE_STATE"),
    Defect("完成时间", _to("2026/10/14 12:00"), "LINE_TIME"),
    Defect("订单金额（元）", _to("20.005"), "LINE_AMOUNT"),
    Defect("商家实收（元）", _to("x"), "LINE_AMOUNT"),
    Defect("服务费（元）", _to("-0.1.2"), "LINE_FEE"),
    Defect("退款批次号/请求号", _to("R 1"), "LINE_NUMBER", "退款"),
    Defect("退款批次号/请求号", _to("R1"), "LINE_STATE", "交易"),
    Defect("商品名称", _to("\x01"), "LINE_TEXT"),
]
ZM_PLACES = {
    "交易传输时间": 4,
    "交易金额": 6,
    "查询流水号": 9,
    "商户订单号": 11,
    "商户手续费": 15,
    "交易类型": 19,
}
ZM = [
    Defect("交易传输时间", _to("1332000000"), "LINE_TIME"),
    Defect("交易传输时间", _to("101412"), "LINE_TIME"),
    Defect("交易金额", _to("00000000000x"), "LINE_AMOUNT"),
    Defect("交易金额", _to("0" * 12), "LINE_AMOUNT"),
    Defect("查询流水号", _to(""), "LINE_CHANNEL_ID"),
    Defect("商户订单号", _to("XK?"), "LINE_NUMBER"),
    Defect("商户手续费", _to("+000000000012"), "LINE_FEE"),
    Defect("交易类型", _to("99"), "LINE_STATE"),
]


def _dice() -> Random:
    seed = int(os.environ.get("XUEKA_TEST_SEED") or SystemRandom().randrange(10**9))
    print(f"XUEKA_TEST_SEED={seed}")
    return Random(seed)


def _spoil(rows: list[made.Cells], defects: list[Defect], state: str, dice: Random, first: int) -> Found:
    """One cell each of some rows. `first` is the line of the first row."""
    expected: Found = set()
    if dice.random() < WHOLE:
        return expected
    for place, row in enumerate(rows):
        fits = [each for each in defects if each.only in row[state]]
        if dice.random() < 0.5 and fits:
            defect = dice.choice(fits)
            row[defect.column] = defect.change(row[defect.column])
            expected.add((place + first, defect.column, defect.code))
    return expected


def _named(checked: Checked) -> Found:
    assert all(f"第 {error.line} 行" in error.message for error in checked.errors)
    return {(error.line, error.column, error.code) for error in checked.errors}


def _wechat(dice: Random) -> tuple[str, bytes, str, Found]:
    rows = made.trade_rows(dice, ROWS)
    sound = made.wechat(rows, made.TRADE_SUMS)
    head, cells = (line.replace("`", "").split(",") for line in sound.decode().split("\r\n")[-3:-1])
    told = dict(zip(head, cells, strict=True))
    expected = _spoil(rows, WECHAT, "交易状态", dice, 2)
    lines = [",".join(rows[0])] + [",".join(f"`{cell}" for cell in row.values()) for row in rows]
    last = ROWS + 3
    untouched = not expected
    trick = dice.choice(("none", "none", "cells", "form", "total", "count", "twice", "after"))
    if trick == "cells" and untouched:
        lines[3] = lines[3].rpartition(",")[0]
        expected.add((4, WHOLE_LINE, "LINE_CELLS"))
    elif trick == "form" and untouched:
        lines[2] = lines[2].replace("`", "")
        expected.add((3, WHOLE_LINE, "LINE_FORM"))
    elif trick == "total" and untouched:
        told["订单总金额"] = made.yuan(made._millifen(told["订单总金额"]) // 1000 + 1)
        expected.add((last, "订单总金额", "TOTAL_DIFFERS"))
    elif trick == "count":
        told["总交易单数"] = str(ROWS + 1)
        expected.add((last, "总交易单数", "TOTAL_DIFFERS"))
    elif trick == "twice" and untouched:
        lines[4] = lines[3]
        kind = rows[2]["交易状态"]
        expected.add((5, "微信订单号" if kind == "SUCCESS" else "微信退款单号", "LINE_TWICE"))
    after = ["`x,`y"] if trick == "after" else []
    if after:
        expected.add((last + 1, WHOLE_LINE, "LINE_AFTER_TOTALS"))
    lines += [",".join(told), ",".join(f"`{text}" for text in told.values()), *after, ""]
    return "a.csv", "\r\n".join(lines).encode(), "wechat", expected


def _alipay(dice: Random) -> tuple[str, bytes, str, Found]:
    rows = made.business_rows(dice, ROWS)
    total = next(line for line in made.alipay(rows).decode("gb18030").split("\r\n") if "交易合计" in line)
    expected = _spoil(rows, ALIPAY, "业务类型", dice, 5)
    if dice.random() < 0.3:
        total = total.replace(f"{ROWS}笔", f"{ROWS - 1}笔")
        expected.add((ROWS + 6, "交易合计", "TOTAL_DIFFERS"))
    raw = made.alipay([row | {"商家实收（元）": "0.00"} for row in rows], total)  # the total is given
    body = [",".join(row.values()) for row in rows]
    lines = raw.decode("gb18030").split("\r\n")
    lines[4 : 4 + ROWS] = body
    return "a.csv", "\r\n".join(lines).encode("gb18030"), "alipay", expected


def _zm(dice: Random) -> tuple[str, bytes, str, Found]:
    rows = [made.zm_row(dice, n) for n in range(ROWS)]
    expected: Found = set()
    single = dice.random() > WHOLE
    for place, fields in enumerate(rows, start=1):
        if single and dice.random() < 0.5:
            defect = dice.choice(ZM)
            fields[ZM_PLACES[defect.column]] = defect.change("")
            expected.add((place, defect.column, defect.code))
    lines = made.zm(rows).split(b"\r\n")
    if dice.random() < 0.3 and not expected:
        lines[1] = lines[1][:-1]
        expected.add((2, WHOLE_LINE, "LINE_WIDTH"))
    if dice.random() < 0.3 and not expected:
        lines[2] = lines[2][:3] + b"x" + lines[2][4:]
        expected.add((3, WHOLE_LINE, "LINE_FORM"))
    return ZM_NAME, b"\r\n".join(lines), "unionpay", expected


def test_every_defect_is_named() -> None:
    dice = _dice()
    named: Counter[str] = Counter()
    for _ in range(dial(200, 2500)):
        for build in (_wechat, _alipay, _zm):
            name, raw, kind, expected = build(dice)
            checked = check(name, raw, kind)
            # A sum may differ besides: the cell that was spoilt stood in it.
            found = {each for each in _named(checked) if each[2] != "TOTAL_DIFFERS" or each in expected}
            assert found == expected, raw.decode("gb18030", "replace")
            assert len(checked.lines) == checked.rows - len(
                {
                    line
                    for line, _, code in expected
                    if code.startswith("LINE_") and code != "LINE_AFTER_TOTALS"
                }
            )
            named.update(code for *_, code in expected)
    assert {*named} == {*OF_A_ROW, "LINE_AFTER_TOTALS", "TOTAL_DIFFERS"}


SOUND = {
    "wechat": lambda dice: ("a.csv", made.wechat(made.trade_rows(dice, ROWS), made.TRADE_SUMS)),
    "wechat-nontax": lambda dice: (
        "a.csv",
        made.wechat(made.trade_rows(dice, ROWS, made.NONTAX), made.NONTAX_SUMS),
    ),
    "wechat-fund": lambda dice: ("a.csv", made.fund_flow(made.flow_rows(dice, ROWS))),
    "alipay": lambda dice: (
        "a.zip",
        made.zipped({"1_业务明细.csv": made.alipay(made.business_rows(dice, ROWS))}),
    ),
    "alipay-fund": lambda dice: ("a.csv", made.alipay_fund(dice, ROWS)),
    "unionpay": lambda dice: (ZM_NAME, made.zm([made.zm_row(dice, n) for n in range(ROWS)])),
}


@pytest.mark.parametrize("kind", SOUND)
def test_bytes_changed_anywhere_crash_nothing_and_move_no_money_in_silence(kind: str) -> None:
    dice = _dice()
    fates: Counter[str] = Counter()
    for _ in range(dial(60, 500)):
        name, raw = SOUND[kind](dice)
        before = check(name, raw, kind)
        assert before.errors == []
        changed = bytearray(raw)
        if dice.random() < 0.15:
            changed = changed[: dice.randrange(len(changed))]
        else:
            changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
        try:
            after = check(name, bytes(changed), kind)
        except BadInput as error:
            assert error.code.startswith("STATEMENT_"), error
            fates["refused"] += 1
            continue
        fates["named" if after.errors else "unharmed"] += 1
        if not after.errors and kind in ("wechat", "wechat-nontax", "alipay"):
            sums = [
                (each.rows, each.amount_fen - each.refund_fen, each.fee_fen if "wechat" in kind else 0)
                for each in (before, after)
            ]
            assert sums[0] == sums[1]
    assert fates["refused"] + fates["named"] > 0
