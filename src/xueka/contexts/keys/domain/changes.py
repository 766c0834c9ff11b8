"""What two people may change, and what each kind of change has to say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xueka.contexts.keys.domain import vocabulary as v
from xueka.contexts.keys.domain.policy import check_definition
from xueka.kernel.errors import BadInput

REGISTER, FOREIGN, GENERATE, IMPORT, EXPORT = "register", "foreign", "generate", "import", "export"
ACTIVATE, ROTATE, REINSTATE, RETIRE, DESTROY = "activate", "rotate", "reinstate", "retire", "destroy"


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
        ChangeKind(REGISTER, "登记密钥", {**_DEFINITION, "parent": "由谁保护"}),
        ChangeKind(
            FOREIGN,
            "登记外部密钥",
            {**_DEFINITION, "owner": "所有者", "place": "存放处"},
            "只登记名称，系统不持有它。",
        ),
        ChangeKind(GENERATE, "生成新版本", {}, "新版本先待启用，不影响制卡。"),
        ChangeKind(IMPORT, "导入密钥块", {"block": "密钥块", "kcv": "校验值", "under": "传输密钥"}),
        ChangeKind(
            EXPORT,
            "导出密钥块",
            {**_VERSION, "under": "传输密钥"},
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
    optional = {"application", "parent"}
    if missing := [name for name, value in tidy.items() if value in ("", [], None) and name not in optional]:
        raise BadInput(
            "KEY_CHANGE_PARAM",
            f"{found.label}还需要“{found.params[missing[0]]}”。",
            where=missing[0],
            action="请补上后再提交。",
        )
    if kind in (REGISTER, FOREIGN):
        drill = label.startswith(v.DRILL_PREFIX)
        check_definition(label, tidy["kind"], tidy["algorithm"], tidy["usages"], drill=drill)
    if "version" in tidy:
        tidy["version"] = _number(tidy["version"])
    if kind == IMPORT:
        tidy["kcv"] = v.check_kcv(tidy["kcv"])
    return tidy


def _tidy(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _number(value: Any) -> int:
    if isinstance(value, int) or (isinstance(value, str) and value.isascii() and value.isdigit()):
        number = int(value)
        if 1 <= number <= 255:
            return number
    raise BadInput("KEY_VERSION_NUMBER", "版本号不对。", found=str(value)[:20], expected="1 至 255")
