"""`python -m xueka.platform.supervisor.launch PARENT COMMAND…`: become COMMAND, and die with PARENT.

When the supervisor is killed outright nobody is left to stop its children; Linux then sends them SIGTERM.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before we had asked
            sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - the caller's own command, no shell


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
