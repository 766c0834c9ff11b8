"""Is a statement what it claims to be? No database is asked."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import PurePath

from xueka.contexts.treasury.adapters import opening
from xueka.contexts.treasury.domain.formats import alipay, unionpay, wechat
from xueka.contexts.treasury.domain.formats.lines import Checked, refuse

KINDS = {
    "wechat": "微信支付交易账单",
    "wechat-fund": "微信支付资金账单",
    "wechat-nontax": "微信非税账单",
    "alipay": "支付宝业务账单",
    "alipay-fund": "支付宝账务明细",
    "unionpay": "银联对账文件",
}
_WECHAT: Mapping[str, Callable[[bytes], Checked]] = {
    "wechat": wechat.read_trade,
    "wechat-fund": wechat.read_fund,
    "wechat-nontax": wechat.read_nontax,
}


def check(name: str, raw: bytes, kind: str, *, day: date | None = None, sha1: str = "") -> Checked:
    """Read one statement as it came from the channel: plain, gzip or ZIP.

    `name` is that of the file; UnionPay's carries the settlement day. `day`, where known, must be the day of
    every line; `sha1` is the digest that WeChat Pay announced, over the unpacked file. Raises BadInput
    `STATEMENT_…` where the file cannot be read as a whole; what is wrong with its lines and totals is in
    `errors`.
    """
    if kind not in KINDS:
        refuse("STATEMENT_KIND", f"没有“{kind}”这种账单。", found=kind, expected="、".join(KINDS))
    if kind == "unionpay":
        checked = _unionpay(name, raw, day)
    elif kind in _WECHAT:
        content = opening.plain(raw)
        _demand_digest(content, sha1)
        checked = _WECHAT[kind](content)
    else:
        checked = _alipay(raw, kind)
    if day is not None and kind != "unionpay":
        for line in checked.lines:
            if line.at.date() != day:
                refuse(
                    "STATEMENT_DAY",
                    f"账单第 {line.line} 行不是这一天的。",
                    where=f"第 {line.line} 行",
                    found=str(line.at.date()),
                    expected=str(day),
                )
    return checked


def _demand_digest(content: bytes, sha1: str) -> None:
    found = hashlib.sha1(content, usedforsecurity=False).hexdigest()  # the digest of the channel's interface
    if sha1 and sha1.lower() != found:
        refuse("STATEMENT_DIGEST", "账单与渠道告知的摘要不符。", found=found, expected=sha1.lower())


def _alipay(raw: bytes, kind: str) -> Checked:
    wanted = alipay.BUSINESS_MEMBER if kind == "alipay" else alipay.FUND_MEMBER
    read = alipay.read_business if kind == "alipay" else alipay.read_fund
    if not opening.is_zip(raw):
        return read(opening.plain(raw))
    found = opening.members(raw)
    details = [name for name in found if name.endswith(f"{wanted}.csv")]
    if len(details) != 1:
        refuse(
            "STATEMENT_MEMBER",
            f"账单压缩包里应当恰有一个“…{wanted}.csv”。",
            found="、".join(sorted(found))[:200],
            expected=f"…{wanted}.csv",
        )
    return read(found[details[0]])


def _unionpay(name: str, raw: bytes, day: date | None) -> Checked:
    """ZM and, where there is one, ZME of the same day."""
    found = opening.members(raw) if opening.is_zip(raw) else {PurePath(name).name: opening.plain(raw)}
    known = {
        each: match
        for each in sorted(found)
        if (match := unionpay.MEMBER.fullmatch(PurePath(each.replace("\\", "/")).name))
    }
    if not known:
        refuse(
            "STATEMENT_MEMBER",
            "没有找到 ZM 或 ZME 文件。",
            found="、".join(sorted(found))[:200],
            expected="如 INN24101488ZM_777290058110097",
        )
    whole = Checked()
    for each, match in known.items():
        settled_on = _day(match["day"], each)
        if day is not None and settled_on != day:
            refuse("STATEMENT_DAY", "不是这一天的账单。", found=str(settled_on), expected=str(day))
        read = unionpay.read(found[each], match["kind"], settled_on)
        whole.rows += read.rows
        whole.lines += read.lines
        whole.errors += read.errors
    return whole


def _day(text: str, name: str) -> date:
    try:
        return date(2000 + int(text[:2]), int(text[2:4]), int(text[4:]))
    except ValueError:
        refuse("STATEMENT_MEMBER", "文件名里的清算日期不存在。", found=name, expected="yymmdd")
