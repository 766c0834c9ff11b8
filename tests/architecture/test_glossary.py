"""docs/glossary.md is checked against the code: a name that it gives must exist where it says."""

import ast
import importlib
import pkgutil
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path

from xueka import contexts
from xueka.kernel.machine import Machine

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "xueka"
GLOSSARY = ROOT / "docs" / "glossary.md"

TERMS_HEAD = ["中文", "English", "name in code", "where"]
STATES_HEAD = ["中文", "English", "name in code"]


def tables() -> list[tuple[str, list[str], list[list[str]]]]:
    """Every table of the glossary: the heading above it, its head, its rows."""
    found: list[tuple[str, list[str], list[list[str]]]] = []
    heading, rows = "", []
    for line in [*GLOSSARY.read_text("utf-8").splitlines(), ""]:
        if line.startswith("#"):
            heading = line.lstrip("# ")
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            head, dashes, *body = rows
            assert set("".join(dashes)) <= set("-: "), f"{heading}: a table without its second line"
            assert all(len(row) == len(head) for row in body), f"{heading}: rows of unequal length"
            found.append((heading, head, body))
            rows = []
    return found


def terms() -> list[list[str]]:
    return [row for _, head, body in tables() if head == TERMS_HEAD for row in body]


def states() -> dict[str, list[list[str]]]:
    return {heading: body for heading, head, body in tables() if head == STATES_HEAD}


@cache
def names_in(where: str) -> frozenset[str]:
    """What is named below a package or in a module: identifiers, one-word strings, keys of data files."""
    place = SOURCE / where
    if not place.exists():
        return frozenset()
    files = [place] if place.is_file() else sorted(place.rglob("*"))
    names: set[str] = set()
    for file in files:
        if file.suffix == ".py":
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                names.update(_names_of(node))
        elif file.suffix == ".toml":
            names.update(_keys(tomllib.loads(file.read_text("utf-8"))))
    return frozenset(names)


def _names_of(node: ast.AST) -> list[str]:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
            return [name]
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Constant(value=str(text)) if text.isidentifier():
            return [text]
    return []


def _keys(data: object) -> list[str]:
    if isinstance(data, dict):
        return [*data, *(key for value in data.values() for key in _keys(value))]
    return []


def machines() -> list[Machine]:
    """The state machines of all contexts."""
    found = []
    for context in pkgutil.iter_modules(contexts.__path__):
        name = f"{contexts.__name__}.{context.name}.domain.transitions"
        if (SOURCE / "contexts" / context.name / "domain" / "transitions.py").exists():
            found += [
                each for each in vars(importlib.import_module(name)).values() if isinstance(each, Machine)
            ]
    return found


def test_every_table_is_understood():
    assert all(head in (TERMS_HEAD, STATES_HEAD) for _, head, _ in tables())
    assert len(terms()) >= 60


def test_every_name_exists_where_the_glossary_says():
    missing = [
        f"{chinese}: {name.strip('`')} in {where.strip('`')}"
        for chinese, _, name, where in terms()
        if name.strip("`") not in names_in(where.strip("`"))
    ]
    assert not missing


def test_every_term_is_explained_once():
    for column, what in ((0, "Chinese"), (1, "English")):
        counts = Counter(part.strip() for row in terms() for part in row[column].split(" / "))
        assert not [term for term, count in counts.items() if count > 1], f"{what} term twice"
    counts = Counter((row[2], row[3]) for row in terms())
    assert not [name for name, count in counts.items() if count > 1]
    assert all(cell for row in terms() for cell in row)


def test_every_state_of_every_machine_is_listed():
    """Both ways, and with the label that the screen shows."""
    in_code = {
        f"{machine.label} `{machine.name}`": [(state.label, f"`{state.code}`") for state in machine.states]
        for machine in machines()
    }
    assert len(in_code) >= 6
    in_glossary = {heading: [(row[0], row[2]) for row in rows] for heading, rows in states().items()}
    assert in_glossary == in_code
    assert all(row[1] for rows in states().values() for row in rows)
