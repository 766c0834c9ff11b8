"""What the answers of a run say about the card, and what has to follow. Nothing here guesses."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from xueka.contexts.personalization.domain.rendering import Command

DONE_OUTCOME, STOPPED_OUTCOME = "done", "stopped"
#: Outcomes after which nobody knows whether the last command was carried out.
LOST = ("pulled", "reader_gone", "timeout", "interrupted")
OUTCOMES = {
    DONE_OUTCOME: "全部执行",
    STOPPED_OUTCOME: "卡拒绝了命令",
    "pulled": "卡被移开",
    "reader_gone": "读卡器断开",
    "timeout": "超时",
    "interrupted": "代理中断",
}

WORDS = {
    "6283": "所选应用已被锁定",
    "6581": "卡的存储器写入失败",
    "6700": "长度不对",
    "6982": "不满足安全条件",
    "6983": "密钥已锁死",
    "6985": "使用条件不满足",
    "6988": "MAC 不对",
    "6a80": "数据不对",
    "6a82": "没有这个应用或文件",
    "6a84": "空间不够",
    "6a88": "没有这把密钥",
    "6a89": "文件已存在",
    "9302": "MAC 不对",
    "9303": "应用已永久锁定",
    "9403": "没有这把密钥",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one command."""

    data: bytes
    sw: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`kind`: ok (all as expected), different (an answer's data is not what it must be), stopped (the card
    refused command `at` with `sw`, or answered it with what is of no use: `odd` says so), unknown (nobody
    knows whether command `at` was carried out). `chip` and `challenge` are what the card told; `found` the
    answers by what they were for.
    """

    kind: str
    at: int
    sw: str = ""
    title: str = ""
    what: str = ""
    chip: str = ""
    challenge: bytes = b""
    found: Mapping[str, Answer] = field(default_factory=dict)
    wrong: tuple[str, ...] = ()
    odd: str = ""

    @property
    def refusal(self) -> str:
        """What the card's status word means, or what is wrong with its answer."""
        return self.odd or meaning(self.sw)


def meaning(sw: str) -> str:
    """A status word in words; with the tries that are left where it tells them."""
    if re.fullmatch(r"63c[0-9a-f]", sw):
        return f"密钥不对，还可试 {int(sw[3], 16)} 次"
    return f"{WORDS[sw]}（{sw}）" if sw in WORDS else f"卡返回 {sw}"


def judge(commands: Sequence[Command], outcome: str, answers: Sequence[Answer]) -> Verdict:
    """The verdict on one run. An agent that says done with too few answers, or whose last answer was not
    expected, is not believed: what it sent counts.
    """
    chip, challenge = "", b""
    found: dict[str, Answer] = {}
    wrong: list[str] = []
    for at, (command, answer) in enumerate(zip(commands, answers, strict=False)):
        found[command.what] = answer
        odd = _odd(command, answer)
        if odd or not expected(answer.sw, command.expect):
            told = (answer.sw, command.title, command.what, chip, challenge, found, tuple(wrong), odd)
            return Verdict("stopped", at, *told)
        if command.what == "chip" and answer.sw == "9000":
            chip = answer.data.hex().upper()
        if command.what == "challenge":
            challenge = answer.data
        if command.want is not None and answer.data != command.want:
            wrong.append(command.what)
    sent = min(len(answers), len(commands))
    if sent < len(commands) or outcome in LOST:
        command = commands[min(sent, len(commands) - 1)]
        return Verdict("unknown", sent, "", command.title, command.what, chip, challenge, found, tuple(wrong))
    kind = "different" if wrong else "ok"
    return Verdict(kind, sent, "", "", "", chip, challenge, found, tuple(wrong))


def _odd(command: Command, answer: Answer) -> str:
    """A challenge is used as it comes: one of another length than was asked for is of no use."""
    asked = command.apdu[-1]
    if command.what == "challenge" and answer.sw == "9000" and len(answer.data) != asked:
        return f"卡给的随机数是 {len(answer.data)} 字节，应为 {asked} 字节"
    return ""


def changed_nothing(commands: Sequence[Command], verdict: Verdict) -> bool:
    """Whether a run that the card stopped had not come to a command that changes the card.

    A command that the card refuses for its state or its keys is not carried out; a failure of its memory
    may be half-way.
    """
    return verdict.sw != "6581" and not any(_changes(each) for each in commands[: verdict.at])


def _changes(command: Command) -> bool:
    return command.what.partition(" ")[0] in ("update", "key", "create", "script")


def expected(sw: str, patterns: Sequence[str]) -> bool:
    """Whether a status word fits one of the patterns; `?` stands for any digit."""
    return any(
        len(pattern) == len(sw) and all(p in ("?", s) for p, s in zip(pattern, sw, strict=True))
        for pattern in patterns
    )


@dataclass(frozen=True, slots=True)
class Look:
    """What a probe saw: contents as planned, our own key answers (`proof`), application there."""

    selected: bool
    contents: bool
    proof: bool


def look(verdict: Verdict) -> Look:
    """From the first run of a probe (every status word was accepted there)."""
    select = verdict.found.get("select")
    reads = [what for what in verdict.found if what.startswith("read ")]
    good = [what for what in reads if verdict.found[what].sw == "9000" and what not in verdict.wrong]
    prove = verdict.found.get("prove")
    return Look(
        selected=select is not None and select.sw == "9000",
        contents=bool(reads) and len(good) == len(reads),
        proof=prove is not None and prove.sw == "9000" and "prove" not in verdict.wrong,
    )


def after_probe(seen: Look, control: str, redone: int, limit: int, scripts_open: bool) -> tuple[str, str]:
    """(event, why): what becomes of a card whose real state is known now.

    `control`: the key that answered, "new", "old" or "" (neither). The card's own control key is written
    last, so where it answers all that was written before it was confirmed by the card.
    """
    if control == "new":
        if not seen.contents or not seen.proof:
            return "spoil", "密钥已更换，但读回的内容或内部认证不对"
        if scripts_open:
            return "spoil", "不能确定对方的脚本是否已执行"
        return "prove", "读回一致，内部认证正确"
    if control == "old":
        if redone >= limit:
            return "spoil", f"已重写 {redone} 次仍未写好"
        return "redo", "空白卡密钥仍在，重写一遍"
    return "spoil", "新旧主控密钥都不应答"
