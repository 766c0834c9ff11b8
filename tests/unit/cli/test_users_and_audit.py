"""`xueka users …` and `xueka audit …` in-process, on the database of the test run."""

import pytest
from django.db import connection

from tests.support.commands import Run
from xueka.platform.audit.models import Entry
from xueka.platform.identity.models import User

pytestmark = pytest.mark.django_db


def create(xueka: Run, username: str, role: str, *more: str) -> dict[str, object]:
    code, answer = xueka("users", "create", username, "--name", "某人", "--role", role, *more)
    assert code == 0, answer
    return answer


def test_the_life_of_an_account(xueka: Run) -> None:
    made = create(xueka, "zhao", "school_officer", "--district", "110101", "--school", "2111000001")
    assert User.objects.get().check_password(str(made.pop("initial_password")))
    (grant,) = made.pop("grants")
    assert made == {"username": "zhao", "name": "某人", "active": True, "must_change_password": True}
    assert (grant["role"], grant["scope"]) == ("school_officer", "school:110101:2111000001")
    _, answer = xueka("users", "grant", "zhao", "--role", "district_officer", "--district", "110101")
    assert [each["role"] for each in answer["grants"]] == ["school_officer", "district_officer"]
    _, answer = xueka("users", "revoke", "zhao", str(grant["id"]), "--reason", "调离")
    assert [each["role"] for each in answer["grants"]] == ["district_officer"]
    _, answer = xueka("users", "reset-password", "zhao")
    assert User.objects.get().check_password(answer["initial_password"])
    assert xueka("users", "deactivate", "zhao", "--reason", "离职")[1]["active"] is False
    assert xueka("users", "reactivate", "zhao")[1]["active"] is True
    code, answer = xueka("users", "list", "--search", "zh")
    assert (code, [user["username"] for user in answer["users"]]) == (0, ["zhao"])


def test_a_refusal_is_json_and_exit_code_1(xueka: Run) -> None:
    code, answer = xueka("users", "create", "Zhao", "--name", "某人", "--role", "auditor")
    assert (code, answer["error"]["code"]) == (1, "USERNAME_FORMAT")
    assert not User.objects.exists()


def test_who_acts(xueka: Run) -> None:
    create(xueka, "chen", "city_admin")
    create(xueka, "zhao", "city_operator")
    assert xueka("users", "list", "--as", "zhao")[1]["error"]["code"] == "PERMISSION_DENIED"
    assert xueka("users", "list", "--as", "nobody")[1]["error"]["code"] == "USER_NOT_FOUND"
    assert xueka("users", "deactivate", "zhao", "--as", "chen")[0] == 0
    entry = Entry.objects.latest("id")
    assert (entry.actor, entry.role, entry.address[:4]) == ("chen", "city_admin", "cli:")
    first = Entry.objects.earliest("id")
    assert (first.actor[:4], first.role) == ("cli:", "system")


def test_searching_the_audit_log(xueka: Run) -> None:
    create(xueka, "chu", "auditor")
    create(xueka, "zhao", "city_operator")
    code, answer = xueka(
        "audit", "search", "--as", "chu", "--action", "user.", "--type", "user", "--id", "zhao"
    )
    assert code == 0
    assert [entry["action"] for entry in answer["entries"]] == ["user.grant", "user.create"]
    assert answer["entries"][0]["detail"] == {"role": "city_operator", "scope": "city"}
    page = xueka("audit", "search", "--limit", "1", "--after", str(answer["entries"][0]["id"]))[1]["entries"]
    assert [entry["id"] for entry in page] == [answer["entries"][1]["id"]]
    day = answer["entries"][0]["at"][:10]
    assert len(xueka("audit", "search", "--since", day, "--until", day)[1]["entries"]) == 4
    assert xueka("audit", "search", "--since", "2020-01-01", "--until", "2020-01-01")[1]["entries"] == []
    assert xueka("audit", "search", "--as", "zhao")[1]["error"]["code"] == "PERMISSION_DENIED"
    assert xueka("audit", "search", "--since", "someday")[0] == 2


def test_every_command_seals_what_it_did(xueka: Run) -> None:
    create(xueka, "chu", "auditor")
    code, answer = xueka("audit", "verify")
    assert code == 0
    assert (answer["sealed"], answer["unsealed"], answer["violated"], answer["problems"]) == (2, 0, 0, [])


def test_a_broken_chain_is_exit_code_1_until_somebody_accepts_it(xueka: Run, audit_head) -> None:
    create(xueka, "chu", "auditor")
    audit_head.write_text(audit_head.read_text().replace('"seq": 2', '"seq": 9'))
    code, answer = xueka("audit", "verify")
    assert (code, answer["violated"], answer["problems"][0]["kind"]) == (1, 1, "truncated")
    assert xueka("audit", "adopt-head", "--reason", "恢复备份") == (0, {"seq": 2})
    assert xueka("audit", "verify")[0] == 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM audit_seal")
        assert cursor.fetchone() == (3,)
