"""Every counterpart under the heavy dial while business goes on; the dial goes back, and both sides agree.

python -m tests.faults.agreement --rounds 60 --things 20 --seed 7

A table tells, for each counterpart, what was sent, kept there, repeated, refused or lost on the way,
compared, and how much differs in the end; exit code 1 where anything does. The
small size is a test of every run.
"""

import argparse
import os
import sys
from pathlib import Path

import pytest


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--rounds", type=int, default=60)
    given.add_argument("--things", type=int, default=20, help="cards, parcels, citizens")
    given.add_argument("--seed", type=int, default=20261126)
    asked = given.parse_args()
    os.environ["XUEKA_AGREEMENT"] = f"{asked.rounds},{asked.things},{asked.seed}"
    return pytest.main(["-q", "-s", "-p", "no:randomly", str(Path(__file__).with_name("test_agreement.py"))])


if __name__ == "__main__":
    sys.exit(main())
