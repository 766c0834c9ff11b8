"""Printing over IPP: hand a document to a printer, wait for the end of the job, say it in words.

A printer that has taken the document and is not heard of again leaves an `unknown` job: somebody looks at the
card. Nothing is ever sent twice from here.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyipp import IPP, IPPConnectionError, IPPError
from pyipp.enums import IppJobState, IppOperation

#: Seconds for one answer, for the whole job, and between two questions about it.
ANSWER_WITHIN = 20
JOB_WITHIN = 180
ASK_EVERY = 0.5

#: What a printer says of itself (RFC 8011 §5.4.12), without its ending -error, -warning or -report.
REASONS = {
    "media-empty": "卡片用完",
    "media-low": "卡片将用完",
    "media-needed": "请放入空白卡",
    "media-jam": "卡片卡住",
    "marker-supply-empty": "色带用完",
    "marker-supply-low": "色带将用完",
    "marker-supply-missing": "没有色带",
    "toner-empty": "色带用完",
    "toner-low": "色带将用完",
    "cover-open": "机盖没有合上",
    "door-open": "机盖没有合上",
    "interlock-open": "机盖没有合上",
    "input-tray-missing": "没有装进卡盒",
    "output-tray-missing": "没有装出卡盒",
    "output-area-full": "出卡盒已满",
    "output-area-almost-full": "出卡盒将满",
    "marker-waste-full": "废卡盒已满",
    "fuser-over-temp": "打印头过热",
    "fuser-under-temp": "打印头未到温度",
    "paused": "已暂停",
    "stopping": "正在停下",
    "stopped-partly": "部分停止",
    "moving-to-paused": "正在暂停",
    "shutdown": "已关机",
    "connecting-to-device": "正在连接打印机",
    "timed-out": "打印机没有响应",
    "spool-area-full": "打印机存储已满",
    "offline": "打印机离线",
}
_STATES = {3: "idle", 4: "processing", 5: "stopped"}
_STATE_WORDS = {"idle": "空闲", "processing": "打印中", "stopped": "已停止"}
#: The standard's words for a document that the printer does not take (RFC 8011 appendix B).
_REFUSALS = {
    0x0401: "打印机拒绝了任务",
    0x0402: "打印机要求登录",
    0x0403: "没有使用这台打印机的权限",
    0x0406: "打印机上没有这个地址",
    0x0408: "文件太大，打印机不接受",
    0x040A: "打印机不接受这种文件",
    0x040B: "打印机不接受这种文件或设置",
    0x0411: "打印机读不懂这个文件",
    0x0502: "打印机暂不可用",
    0x0504: "打印机有故障",
    0x0506: "打印机不接受新任务",
    0x0507: "打印机忙",
}


@dataclass(frozen=True, slots=True)
class PrintResult:
    """`state` is printed, failed (no card has been touched) or unknown (look at the card)."""

    state: str
    message: str


def print_document(
    printer_uri: str,
    document: bytes,
    media_type: str,
    title: str,
    copies: int = 1,
    *,
    job_within: float = JOB_WITHIN,
) -> PrintResult:
    """Print and wait for the end of the job, at most `job_within` seconds. Never raises for a printer."""
    return asyncio.run(_print(printer_uri, document, media_type, title, copies, job_within))


def printer_states(uris: Sequence[str]) -> list[dict[str, str]]:
    """For each printer: name, uri, state (idle, processing, stopped, gone) and a message in words."""
    return asyncio.run(_states(uris))


async def _states(uris: Sequence[str]) -> list[dict[str, str]]:
    return list(await asyncio.gather(*map(_state, uris)))


async def _state(uri: str) -> dict[str, str]:
    try:
        async with IPP(uri, request_timeout=ANSWER_WITHIN) as printer:
            found = await _attributes(printer)
    except (IPPError, OSError) as problem:
        return {"name": uri, "uri": uri, "state": "gone", "message": _words(problem, "连不上打印机")}
    state = _STATES.get(int(found.get("printer-state") or 0), "stopped")
    said = _reasons(found)
    name = str(found.get("printer-info") or found.get("printer-name") or uri)
    return {"name": name, "uri": uri, "state": state, "message": said or _STATE_WORDS[state]}


async def _print(
    uri: str, document: bytes, media_type: str, title: str, copies: int, within: float
) -> PrintResult:
    async with IPP(uri, request_timeout=ANSWER_WITHIN) as printer:
        try:
            found = await _attributes(printer)
        except (IPPError, OSError) as problem:
            return PrintResult("failed", _words(problem, "连不上打印机"))
        if found.get("printer-is-accepting-jobs") is False:
            return PrintResult("failed", _reasons(found) or "打印机不接受新任务")
        try:
            answer = await printer.execute(
                IppOperation.PRINT_JOB, _request(document, media_type, title, copies)
            )
        except IPPConnectionError:
            return PrintResult("unknown", "文件交给打印机时断线，不知道是否已打印")
        except IPPError as problem:
            return PrintResult("failed", _words(problem, "打印机不接受这个任务"))
        job = dict(next(iter(answer["jobs"]), {})).get("job-id")
        return await _wait(printer, job, within)


async def _wait(printer: IPP, job: Any, within: float) -> PrintResult:
    """Ask until the job has ended. A job that does not end in time is cancelled, and its card looked at."""
    until, said = time.monotonic() + within, ""
    while time.monotonic() < until:
        try:
            found = await _job(printer, job)
        except (IPPError, OSError):
            said = "打印机没有响应"
        else:
            state = found.get("job-state", 0)
            said = _reasons(await _quietly(printer)) if state == IppJobState.STOPPED else ""
            if state == IppJobState.COMPLETED:
                return PrintResult("printed", "打印完成")
            if state in (IppJobState.ABORTED, IppJobState.CANCELED):
                # The printer may have drawn the card in: only the eye can tell.
                reasons = _reasons(await _quietly(printer))
                what = "打印机中止了任务" if state == IppJobState.ABORTED else "任务被取消"
                return PrintResult("unknown", f"{what}：{reasons}" if reasons else what)
        await asyncio.sleep(ASK_EVERY)
    with contextlib.suppress(IPPError, OSError):
        await printer.execute(IppOperation.CANCEL_JOB, {"operation-attributes-tag": {"job-id": job}})
    return PrintResult("unknown", f"任务没有按时结束：{said}" if said else "任务没有按时结束，已撤销")


async def _attributes(printer: IPP) -> dict[str, Any]:
    wanted = [
        "printer-name",
        "printer-info",
        "printer-state",
        "printer-state-reasons",
        "printer-is-accepting-jobs",
    ]
    answer = await printer.execute(
        IppOperation.GET_PRINTER_ATTRIBUTES,
        {"operation-attributes-tag": {"requested-attributes": wanted}},
    )
    return dict(next(iter(answer["printers"]), {}))


async def _quietly(printer: IPP) -> dict[str, Any]:
    try:
        return await _attributes(printer)
    except (IPPError, OSError):
        return {}


async def _job(printer: IPP, job: Any) -> dict[str, Any]:
    answer = await printer.execute(
        IppOperation.GET_JOB_ATTRIBUTES,
        {"operation-attributes-tag": {"job-id": job, "requested-attributes": ["job-state"]}},
    )
    return dict(next(iter(answer["jobs"]), {}))


def _request(document: bytes, media_type: str, title: str, copies: int) -> dict[str, Any]:
    return {
        "operation-attributes-tag": {"job-name": title, "document-format": media_type},
        "job-attributes-tag": {"copies": copies},
        "data": document,
    }


def _reasons(found: dict[str, Any]) -> str:
    reasons = found.get("printer-state-reasons") or []
    codes = [reasons] if isinstance(reasons, str) else list(reasons)
    bare = [_bare(code) for code in codes if code != "none"]
    return "、".join(dict.fromkeys(REASONS.get(code, f"其他（{code}）") for code in bare))


def _bare(code: str) -> str:
    for ending in ("-error", "-warning", "-report"):
        code = code.removesuffix(ending)
    return code


def _words(problem: Exception, otherwise: str) -> str:
    """An IPP status in words; no English text of a library reaches the screen."""
    status = next((dict(arg).get("status-code") for arg in problem.args if isinstance(arg, dict)), None)
    return _REFUSALS.get(status, f"{otherwise}（{status:#06x}）") if isinstance(status, int) else otherwise
