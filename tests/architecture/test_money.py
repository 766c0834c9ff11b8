"""No float comes near money: amounts are whole fen, in rows, in sums and in what is written out."""

import ast

import pytest

from tests.architecture.source import SOURCE, modules

WATCHED = ("ledger", "payments", "treasury", "receipts", "closing", "replacements")


def _floats(tree: ast.AST) -> list[ast.AST]:
    """Float literals, `float` in any use, true division."""
    found: list[ast.AST] = []
    for node in ast.walk(tree):
        literal = isinstance(node, ast.Constant) and isinstance(node.value, float | complex)
        named = (isinstance(node, ast.Name) and node.id == "float") or (
            isinstance(node, ast.Attribute) and node.attr in ("FloatField", "truediv", "float64", "Float64")
        )
        divided = isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)
        if literal or named or divided:
            found.append(node)
    return found


def test_no_float_near_money() -> None:
    contexts = [name for name in WATCHED if (SOURCE / "xueka" / "contexts" / name).exists()]
    watched = [module for name in contexts for module in modules(f"xueka.contexts.{name}")]
    watched += [module for module in modules("xueka.kernel") if module.name == "xueka.kernel.money"]
    assert len(watched) > 20
    assert [module.at(node) for module in watched for node in _floats(module.tree)] == []


@pytest.mark.parametrize(
    "code",
    ["x = 0.5", "x = float(y)", "x = a / b", "x /= 2", "def f(x: float): ...", "f = models.FloatField()"],
)
def test_the_lint_finds_what_it_looks_for(code: str) -> None:
    assert _floats(ast.parse(code))
