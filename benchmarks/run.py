"""Every benchmark, or those named: `python3 run.py bench [NAME …]`. One JSON object a line."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
HELPERS = {"run", "harness", "line"}


def main() -> int:
    """Each in a process of its own, from the root of the checkout; nonzero if one failed."""
    known = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in HELPERS)
    wanted = sys.argv[1:] or known
    if unknown := [name for name in wanted if name not in known]:
        sys.exit(f"没有这个基准：{'、'.join(unknown)}。现有：{'、'.join(known)}。")
    failed = 0
    for name in wanted:
        command = [sys.executable, str(HERE / f"{name}.py")]
        failed += subprocess.run(command, cwd=HERE.parent, check=False).returncode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
