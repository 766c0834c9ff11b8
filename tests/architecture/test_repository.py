"""What may lie in the repository."""

import re

import pytest

from tests.architecture.source import ROOT, SOURCE, tracked_files

# Of machines, mirrors and accounts nothing is written down: locks carry digests, not addresses.
FOREIGN = re.compile(
    r"""(?x)
    (?<![\w.])/(?:root|home/\w|Users/\w|work/)      # somebody's own directories
    | (?:pypi|pythonhosted|npmjs|npmmirror)\.(?:org|com)
    | "resolved"\s*:
    | -----BEGIN\ (?:\w+\ )*PRIVATE\ KEY-----(?:\s*$|\\n\w)
    """
)
OUTSIDE = re.compile(r"""(?:src|href|action|url|@import)\s*[=(]?\s*["'(]?\s*(?:https?:)?//""")
BINARY = {".png", ".jpg", ".jpeg", ".ico", ".woff2", ".xlsx", ".zip", ".pdf"}


def _lines(suffixes: tuple[str, ...] = ()) -> "list[tuple[str, str]]":
    found = []
    for path in tracked_files():
        if path.suffix in BINARY or (suffixes and path.suffix not in suffixes):
            continue
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), start=1):
            found.append((f"{path.relative_to(ROOT)}:{number}", line))
    assert found
    return found


def test_no_machine_registry_or_key_is_named() -> None:
    # The keys of published vectors say in their names what they are.
    exempt = re.compile("/test_repository.py:|/PUBLIC-TEST-")
    assert [where for where, line in _lines() if FOREIGN.search(line) and not exempt.search(where)] == []


@pytest.mark.parametrize("line", ['  "resolved": "x"', "cd /root/project", "-----BEGIN PRIVATE KEY-----"])
def test_the_search_finds_what_it_looks_for(line: str) -> None:
    assert FOREIGN.search(line)


def test_pages_load_nothing_from_outside_and_nothing_inline() -> None:
    pages = [
        (where, line) for where, line in _lines((".html", ".css", ".js", ".mjs")) if where.startswith("src/")
    ]
    assert [where for where, line in pages if OUTSIDE.search(line)] == []
    inline = re.compile(r"""\sstyle\s*=\s*["']|\son\w+\s*=\s*["']|<style[\s>]|<script(?![^>]*\bsrc=)[^>]*>""")
    assert [
        where for where, line in pages if where.split(":")[0].endswith(".html") and inline.search(line)
    ] == []


def test_no_business_rule_hides_in_an_empty_promise() -> None:
    promise = re.compile(r"#\s*(?:TODO|FIXME|XXX|HACK)\b|raise NotImplementedError")
    assert [
        where for where, line in _lines((".py",)) if where.startswith("src/") and promise.search(line)
    ] == []


def test_decisions_are_numbered_once_and_complete() -> None:
    decisions = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert decisions
    numbers = [path.name[:4] for path in decisions]
    assert len(set(numbers)) == len(numbers)
    for path in decisions:
        text = path.read_text("utf-8")
        for heading in ("Context", "Decision", "Consequences"):
            assert re.search(rf"^## {heading}$", text, re.MULTILINE), f"{path.name} lacks {heading}"


def test_every_package_of_the_product_is_a_package() -> None:
    folders = {path.parent for path in SOURCE.rglob("*.py")}
    assert [
        str(folder) for folder in folders if folder != SOURCE and not (folder / "__init__.py").exists()
    ] == []
