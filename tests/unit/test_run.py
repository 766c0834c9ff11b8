"""run.py: what is done once, what again, and what a missing part means."""

import importlib.util
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.unit.conftest import pytest_collection_modifyitems

RUN = Path(__file__).resolve().parents[2] / "run.py"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, loose in an empty checkout, its steps recorded in `run.steps` instead of taken."""
    spec = importlib.util.spec_from_file_location("xueka_run", RUN)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    steps: list[str] = []
    module.steps = steps
    for name in ("run", "dev", "node"):
        (tmp_path / "requirements").mkdir(exist_ok=True)
        (tmp_path / "requirements" / f"{name}.lock").write_text(name)
    for name in ("package.json", "package-lock.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "node_modules").mkdir()
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    _move(module, tmp_path)
    monkeypatch.setattr(module, "_make_venv", lambda: (module.PYTHON.touch(), steps.append("venv")))
    monkeypatch.setattr(module, "_pip_install", lambda lock: steps.append(f"install {lock.stem}"))
    monkeypatch.setattr(module, "_put_on_path", lambda: steps.append("path"))
    monkeypatch.setattr(module, "_say", lambda text: None)
    return module


def _move(module: ModuleType, root: Path) -> None:
    module.ROOT, module.VENV, module.PYTHON = root, root / ".venv", root / ".venv" / "bin" / "python"


def _programs(run: ModuleType, monkeypatch: pytest.MonkeyPatch, codes: dict[str, int]) -> None:
    """Programs end with these codes (0 unless named by their file name or `-m` module) and are recorded."""

    def _call(command: list[object], **options: object) -> "subprocess.CompletedProcess[str]":
        words = [str(word) for word in command]
        name = words[words.index("-m") + 1] if "-m" in words[:2] else Path(words[0]).name
        run.steps.append(name)
        return subprocess.CompletedProcess(words, codes.get(name, 0), stdout="")

    monkeypatch.setattr(run.subprocess, "run", _call)


def test_the_environment_is_made_once(run: ModuleType) -> None:
    run._environment("run")
    run._environment("run")
    assert run.steps == ["venv", "install run", "path"]


def test_a_changed_lock_is_installed_again(run: ModuleType) -> None:
    run._environment("run")
    (run.ROOT / "requirements" / "run.lock").write_text("newer")
    run._environment("run")
    assert run.steps == ["venv", "install run", "path", "install run", "path"]


def test_what_tests_need_includes_what_serving_needs(run: ModuleType) -> None:
    run._environment("dev")
    run._environment("run")
    assert run.steps == ["venv", "install dev", "path"]


def test_another_python_or_another_place_makes_it_anew(run: ModuleType, tmp_path: Path) -> None:
    run._environment("run")
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    _move(run, moved)
    run._environment("run")
    assert run.steps.count("venv") == 2
    stamp = run.VENV / ".ready.json"
    stamp.write_text(json.dumps({**json.loads(stamp.read_text()), "python": "3.0"}))
    run._environment("run")
    assert run.steps.count("venv") == 3


def test_assets_come_by_the_machines_npm(run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run.shutil, "which", lambda name: f"/bin/{name}")
    _programs(run, monkeypatch, {})
    run._assets()
    run._assets()
    assert run.steps == ["npm"]


@pytest.mark.parametrize("npm", [None, "/bin/npm"])
def test_assets_come_by_npm_from_the_lock_where_there_is_none_that_works(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, npm: str | None
) -> None:
    monkeypatch.setattr(run.shutil, "which", lambda name: npm)
    _programs(run, monkeypatch, {"npm": 1})
    run._assets()
    assert [step for step in run.steps if step != "npm"] == ["install node", "python"]


@pytest.mark.parametrize(
    ("codes", "code"),
    [({}, 0), ({"mypy": 1}, 1), ({"lint-imports": 1}, 1), ({"ruff": 1}, 1), ({"pytest": 3}, 3)],
)
def test_whatever_fails_fails_the_run_and_pytest_has_the_last_word(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, codes: dict[str, int], code: int
) -> None:
    monkeypatch.setattr(run, "_system_parts", lambda: None)
    monkeypatch.setattr(run, "_card_packages", lambda: None)
    _programs(run, monkeypatch, codes)
    assert run._test(["tests/unit"]) == code
    assert run.steps == ["ruff", "ruff", "mypy", "lint-imports", "pytest"]


@pytest.mark.parametrize("size", ["small", "full"])
def test_the_oldest_server_is_tested_beside_the_checks_and_its_failure_counts(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, size: str
) -> None:
    monkeypatch.setattr(run, "_system_parts", lambda: None)
    monkeypatch.setattr(run, "_card_packages", lambda: None)
    monkeypatch.setattr(run, "_oldest_server", lambda: tmp_path / "15")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("XUEKA_TEST_SIZE", size)
    # Where the oldest server is found, this test is itself run with what the one below must not have.
    for inherited in ("XUEKA_TESTED_ON_OLDEST_SERVER", "XUEKA_DATABASE_PROGRAMS"):
        monkeypatch.delenv(inherited, raising=False)
    runs: list[tuple[bool, str | None, bool]] = []

    def _call(command: list[object], **options: Any) -> "subprocess.CompletedProcess[str]":
        words = [str(word) for word in command]
        if "pytest" not in words:
            return subprocess.CompletedProcess(words, 0, stdout="")
        assert "PYTHONDONTWRITEBYTECODE" not in options["env"]
        older = options["env"].get("XUEKA_DATABASE_PROGRAMS")
        runs.append(("django_db" in words, older, "XUEKA_TESTED_ON_OLDEST_SERVER" in options["env"]))
        return subprocess.CompletedProcess(words, 1 if older else 0)

    monkeypatch.setattr(run.subprocess, "run", _call)
    assert run._test([]) == 1
    assert runs == [(True, str(tmp_path / "15"), False), (False, None, size == "small")]


@dataclass(frozen=True)
class _Item:
    path: Path
    marks: tuple[str, ...]

    def get_closest_marker(self, name: str) -> str | None:
        return next((mark for mark in self.marks if mark == name), None)


def test_what_the_oldest_server_has_tested_is_left_out_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inner, outer = RUN.parent / "tests" / "unit" / "ledger", RUN.parent / "tests" / "faults"
    there = _Item(inner / "test_x.py", ("slow", "django_db"))
    here = [_Item(inner / "test_x.py", ()), _Item(outer / "test_y.py", ("django_db",))]
    gone: list[_Item] = []
    config: Any = SimpleNamespace(hook=SimpleNamespace(pytest_deselected=lambda items: gone.append(*items)))
    for said, left in (("", [there, *here]), ("1", here)):
        monkeypatch.setenv("XUEKA_TESTED_ON_OLDEST_SERVER", said)
        items: list[Any] = [there, *here]
        pytest_collection_modifyitems(config, items)
        assert items == left
    assert gone == [there]


def test_a_missing_part_fails_continuous_integration_and_nothing_else(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(run, "_missing_parts", lambda: {"Chromium 浏览器": "chromium"})
    monkeypatch.setattr(run.shutil, "which", lambda name: None)
    monkeypatch.setattr(run, "_say", said.append)
    monkeypatch.setattr(run, "CI", False)
    run._system_parts()
    assert said == ["缺少Chromium 浏览器（软件包 chromium）：需要它的测试将跳过。"]
    monkeypatch.setattr(run, "CI", True)
    with pytest.raises(SystemExit):
        run._system_parts()


def test_an_old_python_is_told_so() -> None:
    pretend = (
        f"import sys, runpy; sys.version_info = (3, 9); runpy.run_path({str(RUN)!r}, run_name='__main__')"
    )
    answer = subprocess.run([sys.executable, "-c", pretend], capture_output=True, text=True)
    assert answer.returncode == 1
    assert answer.stderr == "需要 Python 3.11 或更新的版本，现在是 3.9。\n"
