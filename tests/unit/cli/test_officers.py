"""`xueka officers …`: a list tried, brought in, and what it says of a bad line."""

from pathlib import Path

import pytest

from tests.support.commands import Run
from xueka.contexts.registry import api as registry
from xueka.platform.identity.models import User

pytestmark = pytest.mark.django_db
SCHOOL = "2111010001"
LIST = f"""学校标识码,姓名,角色,手机号
{SCHOOL},周敏,学校卡管老师,13800000001
{SCHOOL},吴岚,校长助理,13800000002
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    registry.District.objects.get_or_create(code="110101", defaults={"name": "东城区"})
    registry.School.objects.create(code=SCHOOL, name="第一小学", district_id="110101")
    path = tmp_path / "officers.csv"
    path.write_text(LIST, encoding="gb18030")
    return str(path)


def test_a_list_is_tried_then_brought_in(xueka: Run, file: str) -> None:
    code, tried = xueka("officers", "import", file, "--dry-run")
    assert (code, tried["created"], tried["rejected"], User.objects.count()) == (1, 1, 1, 0)
    code, done = xueka("officers", "import", file)
    assert (code, done["created"], done["rejected"]) == (1, 1, 1)
    (problem,) = done["errors"]
    assert (problem["line"], problem["column"]) == (3, "角色")
    assert User.objects.get().name == "周敏"
    code, found = xueka("officers", "list")
    assert code == 0
    assert [(run["file"], run["dry_run"]) for run in found["lists"]] == [
        ("officers.csv", False),
        ("officers.csv", True),
    ]


def test_a_list_of_another_length_is_refused_whole(xueka: Run, file: str) -> None:
    code, answer = xueka("officers", "import", file, "--rows", "3")
    assert (code, answer["error"]["code"]) == (1, "ROWS_DIFFER")
    assert not User.objects.exists()
