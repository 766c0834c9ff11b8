"""The project's own source, read for the lints."""

import ast
import functools
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"


@dataclass(frozen=True)
class Module:
    """One Python file of the product."""

    path: Path
    name: str
    tree: ast.Module

    def at(self, node: ast.AST) -> str:
        return f"{self.path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"

    def imports(self) -> Iterator[tuple[ast.AST, str]]:
        """Every imported module, absolute; `from a import b` counts as a and as a.b."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield node, alias.name
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node, node.module
                for alias in node.names:
                    yield node, f"{node.module}.{alias.name}"


@functools.cache
def modules(under: str = "xueka") -> tuple[Module, ...]:
    """The modules below a package, migrations left out."""
    found = []
    for path in sorted((SOURCE / under.replace(".", "/")).rglob("*.py")):
        if "migrations" not in path.parts:
            name = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
            found.append(Module(path, name, ast.parse(path.read_text("utf-8"))))
    assert found, f"nothing below {under}"
    return tuple(found)


def tracked_files() -> list[Path]:
    """The files of the repository."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    return [ROOT / name.decode() for name in listed.split(b"\0") if name and (ROOT / name.decode()).is_file()]
