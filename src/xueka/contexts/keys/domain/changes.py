"""What two people may change, and what each kind of change has to say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xueka.contexts.keys.domain import deliveries
from xueka.contexts.keys.domain import vocabulary as v
from xueka.contexts.keys.domain.policy import check_definition, check_source
from xueka.kernel.errors import BadInput

REGISTER, FOREIGN, GENERATE, IMPORT, EXPORT = "register", "foreign", "generate", "import", "export"
COMPONENTS, DELIVER = "components", "deliver"
ACTIVATE, ROTATE, REINSTATE, RETIRE, DESTROY = "activate", "rotate", "reinstate", "retire", "destroy"

FEWEST_PARTS, MOST_PARTS = 2, 8


@dataclass(frozen=True, slots=True)
class ChangeKind:
    """`params`: what it needs beside the label → its name on the screen; `warns`: said before it is done."""

    code: str
    label: str
    params: Mapping[str, str]
    warns: str = ""


_VERSION = {"version": "版本"}
_DEFINITION = {"title": "名称", "kind": "类型", "algorithm": "算法", "usages": "用途", "application": "应用"}

KINDS: dict[str, ChangeKind] = {
    each.code: each
    for each in (
        ChangeKind(
            REGISTER,
            "登记密钥",
            {
                **_DEFINITION,
                "parent": "由谁保护",
                "level": "层级",
                "source": "由谁分散",
                "factor": "分散因子",
            },
        ),
        ChangeKind(
            FOREIGN,
            "登记外部密钥",
            {**_DEFINITION, "owner": "所有者", "place": "存放处"},
            "只登记名称，系统不持有它。",
        ),
        ChangeKind(GENERATE, "生成新版本", {}, "新版本先待启用，不影响制卡。"),
        ChangeKind(IMPORT, "导入密钥块", {"block": "密钥块", "kcv": "校验值", "under": "传输密钥"}),
        ChangeKind(
            COMPONENTS,
            "分量导入",
            {"kcv": "校验值", "people": "分量保管人"},
            "各人的分量都录入后才能执行；新版本先待启用。",
        ),
        ChangeKind(
            DELIVER,
            "安排交付",
            {
                **_VERSION,
                "receiver_kind": "接收方类别",
                "receivers": "接收方",
                "way": "方式",
                "due_on": "最迟到达日",
            },
            "只排入计划；交出和到达另行登记。",
        ),
        ChangeKind(
            EXPORT,
            "导出密钥块",
            {**_VERSION, "under": "传输密钥", "receiver": "接收方"},
            "对方持有传输密钥，就能使用导出的密钥。",
        ),
        ChangeKind(ACTIVATE, "启用", _VERSION, "此后制的卡用这个版本。"),
        ChangeKind(ROTATE, "轮换", {}, "新版本启用，现在的版本转为仅验证。"),
        ChangeKind(REINSTATE, "恢复使用", _VERSION, "此后制的卡用回这个版本。"),
        ChangeKind(RETIRE, "停用", _VERSION, "停用后，用它制成的卡不能再由系统认证。"),
        ChangeKind(DESTROY, "销毁", _VERSION, "销毁后不能恢复。"),
    )
}


def check_params(kind: str, label: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters, tidied. Raises BadInput `KEY_CHANGE_KIND`, `KEY_CHANGE_PARAM` or a definition's."""
    found = KINDS.get(kind)
    if found is None:
        raise BadInput("KEY_CHANGE_KIND", "没有这种密钥变更。", found=kind, expected="、".join(KINDS))
    if unknown := sorted(set(params) - set(found.params)):
        raise BadInput("KEY_CHANGE_PARAM", f"{found.label}不需要 {unknown[0]}。", where=unknown[0])
    tidy = {name: _tidy(params.get(name, "")) for name in found.params}
    optional = {"application", "parent", "level", "source", "factor"}
    if missing := [name for name, value in tidy.items() if value in ("", [], None) and name not in optional]:
        raise BadInput(
            "KEY_CHANGE_PARAM",
            f"{found.label}还需要“{found.params[missing[0]]}”。",
            where=missing[0],
            action="请补上后再提交。",
        )
    if kind in (REGISTER, FOREIGN):
        drill = label.startswith(v.DRILL_PREFIX)
        level = check_definition(
            label,
            tidy["kind"],
            tidy["algorithm"],
            tidy["usages"],
            drill=drill,
            level=tidy.get("level", ""),
        )
        if kind == REGISTER:
            tidy["level"] = level
            tidy["factor"] = check_source(label, level, tidy["source"], tidy["factor"])
    if "version" in tidy:
        tidy["version"] = _number(tidy["version"])
    if kind in (IMPORT, COMPONENTS):
        tidy["kcv"] = v.check_kcv(tidy["kcv"])
    if kind == COMPONENTS:
        tidy["people"] = check_people(tidy["people"])
    if kind == EXPORT:
        [tidy["receiver"]] = deliveries.check_receivers([tidy["receiver"]])
    if kind == DELIVER:
        tidy["receivers"] = deliveries.check_receivers(tidy["receivers"])
        deliveries.check_plan(tidy["receiver_kind"], tidy["way"], str(tidy["due_on"]))
    return tidy


def check_people(given: Any) -> list[str]:
    """The user names of those who bring a component each. Raises BadInput `KEY_PART_PEOPLE`."""
    named = given.split(",") if isinstance(given, str) else given
    people = [each.strip() for each in named] if isinstance(named, list) else []
    if not FEWEST_PARTS <= len(people) <= MOST_PARTS or len(set(people)) != len(people) or "" in people:
        raise BadInput(
            "KEY_PART_PEOPLE",
            "分量保管人的人数不对，或同一人写了两次。",
            where="people",
            found="、".join(people)[:80] or "无",
            expected=f"{FEWEST_PARTS} 至 {MOST_PARTS} 位不同的密钥保管人，每人一个分量",
            action="请重新选择。",
        )
    return people


def _tidy(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _number(value: Any) -> int:
    if isinstance(value, int) or (isinstance(value, str) and value.isascii() and value.isdigit()):
        number = int(value)
        if 1 <= number <= 255:
            return number
    raise BadInput("KEY_VERSION_NUMBER", "版本号不对。", found=str(value)[:20], expected="1 至 255")
