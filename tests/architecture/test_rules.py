"""The rules of the house that import contracts cannot express. Each names the places that break it."""

import ast
import importlib
import pkgutil
import subprocess
import sys

import pytest

from tests.architecture.source import Module, modules
from xueka import contexts
from xueka.entrypoints import cli

DOCUMENTS = "xueka.entrypoints.cli.docs_commands"  # prints the state tables, and needs no database for that
LONGEST_MODULE = 400  # lines; a longer one holds two ideas
CONTEXTS = {found.name for found in pkgutil.iter_modules(contexts.__path__)}


def _context(module: str) -> str | None:
    parts = module.split(".")
    return parts[2] if parts[:2] == ["xueka", "contexts"] and len(parts) > 2 else None


def test_kernel_and_domains_import_the_standard_library_and_the_kernel_only() -> None:
    rules = [
        module for module in modules() if ".domain" in module.name or module.name.startswith("xueka.kernel")
    ]
    assert len(rules) > 20
    wrong = []
    for module in rules:
        own = ("xueka.kernel", f"xueka.contexts.{_context(module.name)}.domain")
        for node, name in module.imports():
            if name.split(".")[0] not in sys.stdlib_module_names and not name.startswith(own):
                wrong.append(f"{module.at(node)} imports {name}")
    assert wrong == []


def test_the_api_is_the_only_door_of_a_context() -> None:
    wrong = []
    for module in modules():
        for node, name in module.imports():
            context = _context(name)
            if context is None or context == _context(module.name) or context not in CONTEXTS:
                continue
            if module.name == DOCUMENTS and name.startswith(f"xueka.contexts.{context}.domain"):
                continue
            if not name.startswith(f"xueka.contexts.{context}.api") and name != f"xueka.contexts.{context}":
                wrong.append(f"{module.at(node)} imports {name}")
    assert wrong == []


def test_every_api_says_what_its_contract_is() -> None:
    doors = [importlib.import_module(f"xueka.contexts.{context}.api") for context in sorted(CONTEXTS)]
    for door in doors:
        missing = [name for name in door.__all__ if not hasattr(door, name)]
        assert (door.__name__, missing) == (door.__name__, [])


def test_entrypoints_do_not_query_models_themselves() -> None:
    managers = {"objects", "_default_manager", "_base_manager"}
    wrong = [
        module.at(node)
        for module in modules("xueka.entrypoints")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and node.attr in managers
    ]
    assert wrong == []


def test_only_what_knows_chip_and_face_finishes_a_card() -> None:
    """These steps trust their caller; personalization asks for proof of chip and face first."""
    steps = {"finish_at_counter", "request_print", "spoil_plastic", "count_spoilt"}
    homes = {"finish_at_counter": "cards"}
    wrong = [
        module.at(node)
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute | ast.Name)
        and (called := getattr(node, "attr", getattr(node, "id", ""))) in steps
        and _context(module.name) not in ("personalization", homes.get(called, "printing"))
    ]
    assert wrong == []


def test_business_code_asks_our_clock() -> None:
    asks = {("datetime", "now"), ("datetime", "utcnow"), ("date", "today"), ("datetime", "today")}
    asks |= {("timezone", "now"), ("time", "time")}
    watched = [*modules("xueka.contexts"), *modules("xueka.entrypoints.portals"), *modules("xueka.platform")]
    wrong = [
        module.at(node)
        for module in watched
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute)
        and (getattr(node.value, "id", getattr(node.value, "attr", None)), node.attr) in asks
    ]
    assert wrong == []


def test_no_django_signals() -> None:
    signals = ("django.dispatch", "django.db.models.signals", "django.core.signals")
    wrong = [module.at(node) for module in modules() for node, name in module.imports() if name in signals]
    assert wrong == []


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_a_module_holds_one_idea(module: Module) -> None:
    assert len(module.path.read_text("utf-8").splitlines()) <= LONGEST_MODULE


def test_commands_start_without_django() -> None:
    """`xueka calendar` and `xueka money` answer at once: Django is imported when a database is needed."""
    parts = [f"{cli.__name__}.{found.name}" for found in pkgutil.iter_modules(cli.__path__)]
    commands = ["xueka.entrypoints.cli.main", *(name for name in parts if name.endswith("_commands"))]
    imports = f"import sys, importlib; [importlib.import_module(name) for name in {commands}]"
    code = f"{imports}; print('django' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "False\n"
