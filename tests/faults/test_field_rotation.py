"""The field key is rotated while sealed values are read and written, and the work is killed inside any piece.

No value is unreadable at any moment, no change is lost; in the end all is under the new version, the old one
retired. Small in CI; XUEKA_TEST_SIZE=full kills 60 times.
"""

import random
from pathlib import Path

from tests.faults.rotating import beside, home_in, rotate
from tests.faults.test_backup import answer, xueka
from tests.support.size import dial

SEED = 20261126
KILLS = dial(2, 60)


def test_rotated_under_load_and_killed(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    home, chance = home_in(tmp_path), random.Random(SEED)
    with beside("tests.faults.field_town", home) as done:
        killed = rotate(home, chance, KILLS, 1, "tests.faults.field_rotator")
    result = done()
    print(f"{killed} kills, {result['changes']} changes, {result['stored']} files")
    assert result["failed"] == []
    assert killed and result["changes"] > 20 and result["stored"]
    listed = {key["label"]: key for key in answer(xueka(home, "keys", "list", "--json"))["keys"]}
    states = {each["version"]: each["state"] for each in listed["platform.fields"]["versions"]}
    assert states == {1: "retired", 2: "active"}
    verified = answer(xueka(home, "keys", "verify", "--json"))
    assert (verified["findings"], verified["locked"]) == ([], [])
    invariants = {each["name"]: each for each in answer(xueka(home, "verify", "--json"))["invariants"]}
    assert [name for name, each in invariants.items() if each["violated"]] == []
    assert invariants["keys_field_key_in_service"]["checked"] >= 2
