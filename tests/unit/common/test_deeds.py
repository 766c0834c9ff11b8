"""Every act of the audit log has words, so that no auditor reads a code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import xueka
from xueka.entrypoints.portals.common import deeds, details

SOURCE = Path(xueka.__file__).parent
_RECORDERS = {"record", "_record", "_audit"}  # the last two belong to their module
_CHINESE = re.compile("[\u4e00-\u9fff]")


def _calls(tree: ast.AST) -> Iterator[tuple[str, list[ast.expr], list[ast.expr]]]:
    """Of each entry made: the recorder, what may name the act, and what the object."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in _RECORDERS:
                yield name, node.args[:2], node.args[2:3]


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def recorded() -> tuple[set[str], set[str]]:
    """Acts and kinds of objects as the source writes them; `f"batch.{…}"` is put together with the verbs that
    its module hands to its own recorder.
    """
    acts: set[str] = set()
    things: set[str] = set()
    for file in SOURCE.rglob("*.py"):
        prefixes: set[str] = set()
        verbs: set[str] = set()
        for recorder, names, objects in _calls(ast.parse(file.read_text("utf-8"))):
            things |= {text for text in map(_text, objects) if text.replace("_", "").islower()}
            for name in names:
                if isinstance(name, ast.JoinedStr) and _text(name.values[0]).endswith("."):
                    prefixes.add(_text(name.values[0]))
                elif "." in _text(name):
                    acts.add(_text(name))
                elif _text(name).isidentifier() and recorder != "record":
                    verbs.add(_text(name))
        acts |= {prefix + verb for prefix in prefixes for verb in verbs}
    return acts, things


def test_every_act_and_object_has_words() -> None:
    acts, things = recorded()
    assert len(acts) > 100
    assert sorted(code for code in acts if not _CHINESE.search(deeds.act(code))) == []
    assert sorted(code for code in things if deeds.thing(code) == code) == []


def detail_keys() -> set[str]:
    """Keys of details that the source writes out: keywords of a recorder, and literal dictionaries."""
    keys: set[str] = set()
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            for given in node.keywords if name in _RECORDERS else ():
                if isinstance(given.value, ast.Dict) and given.arg == "detail":
                    keys |= {_text(key) for key in given.value.keys if key is not None}
                elif given.arg not in (None, "detail", "result"):
                    keys.add(given.arg)
    return keys


def test_every_detail_has_words() -> None:
    keys = detail_keys()
    assert len(keys) > 100
    assert sorted(keys - set(details.KEYS)) == []
    assert details.told(
        {"cards": 7, "counts": {"made": 5}, "final": True, "note": "", "numbers": [1, 2]}
    ) == ("卡数：7；计数：（制成 5）；末次回盘：是；备注：无；号码：1、2")
    assert details.told({"reason": "长" * 400}).endswith("长…")


def test_an_act_is_found_by_its_words() -> None:
    assert "card.report_lost" in deeds.acts_like("挂失")
    assert "session.log_in" in deeds.acts_like("登录")
    assert deeds.acts_like("没有这种事") == []


def test_an_unknown_act_is_shown_by_its_code() -> None:
    assert deeds.act("moon.land") == "moon.land"
