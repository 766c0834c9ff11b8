"""The signature as Java's encoder makes it, codes of operations, answers with JSON inside JSON."""

import json
import subprocess
import sys
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xueka.contexts.couriers.domain import sf
from xueka.contexts.couriers.domain import status as s

#: (message, timestamp, checkword, what java.net.URLEncoder makes of the three, msgDigest); the last two were
#: computed by the Java class itself.
VECTORS = [
    ('{"a":1}', "1700000000000", "cw", "%7B%22a%22%3A1%7D1700000000000cw", "MTi764CWVlVMKjj8p0kGeQ=="),
    (
        '{"x":"~*"}',
        "1700000000000",
        "cw",
        "%7B%22x%22%3A%22%7E*%22%7D1700000000000cw",
        "gYBIHF6s+kbJxRpwuzn3vg==",
    ),
    ("a b+c/d=e&f%", "1", "w~*", "a+b%2Bc%2Fd%3De%26f%251w%7E*", "Z1oiYytjwmI3EWLrzIj6kA=="),
    (
        '{"收件":"海淀区 中关村","n":2}',
        "1764150000000",
        "校验字",
        "%7B%22%E6%94%B6%E4%BB%B6%22%3A%22%E6%B5%B7%E6%B7%80%E5%8C%BA+%E4%B8%AD%E5%85%B3%E6%9D%91%22%2C%22n%22"
        "%3A2%7D1764150000000%E6%A0%A1%E9%AA%8C%E5%AD%97",
        "87NaBcLoKs0P4zO0fvxU3A==",
    ),
    (
        "🚚🚚-_.~!'()",
        "2",
        "k",
        "%F0%9F%9A%9A%F0%9F%9A%9A-_.%7E%21%27%28%292k",
        "bbvyEHW8Zt8UE4dOT3k31g==",
    ),
    ("", "", "", "", "1B2M2Y8AsgTpgAmY7PhCfg=="),
]


@pytest.mark.parametrize(("message", "timestamp", "checkword", "encoded", "digest"), VECTORS)
def test_as_java_does_it(message: str, timestamp: str, checkword: str, encoded: str, digest: str) -> None:
    assert sf.java_encoded(message + timestamp + checkword) == encoded
    assert sf.digest(message, timestamp, checkword) == digest


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_encoded_as_the_form_rule_says(text: str) -> None:
    """Python's own encoder, told what Java leaves: everything safe but `~`, and `*`."""
    expected = quote_from_bytes(text.encode(), safe="* ").replace("~", "%7E").replace(" ", "+")
    assert sf.java_encoded(text) == expected


def test_the_command_prints_it() -> None:
    command = [sys.executable, "-m", "xueka", "courier", "sf-digest", "--msg", '{"x":"~*"}']
    command += ["--timestamp", "1700000000000", "--checkword", "cw", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"digest": "gYBIHF6s+kbJxRpwuzn3vg=="}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (("50", "顺丰速运 已收取快件"), s.PICKED_UP),
        (("54", ""), s.PICKED_UP),
        (("3036", ""), s.IN_TRANSIT),
        (("44", "正在派送途中"), s.DELIVERING),
        (("70", "客户要求改时间派送"), s.ATTEMPT_FAILED),
        (("70", "客户拒收"), s.REFUSED),
        (("80", "已签收，签收人：本人"), s.SIGNED),
        (("80", "已派送至自助柜"), s.IN_LOCKER),
        (("80", "", "4", ""), s.IN_LOCKER),
        (("80", "", "", "401"), s.IN_LOCKER),
        (("80", "快件已从丰巢柜取出", "4", "402"), s.OUT_OF_LOCKER),
        (("80", "快件已从丰巢柜取出", "4", "401"), s.IN_LOCKER),
        (("80", "退件已签收"), s.RETURNED),
        (("99", "应客户要求，快件正在转寄中"), s.FORWARDED),
        (("648", "快件已退回，新单号 SF1"), s.RETURNING),
        (("33", ""), s.PROBLEM),
        (("8000", "在官网可查看签收人信息"), s.NOTED),
        (("7777", "新代码"), s.NOTED),
    ],
)
def test_each_code_has_one_neutral_word(entry: tuple[str, ...], expected: str) -> None:
    assert sf.status_of(*entry) == expected


def test_the_result_is_read_as_an_object_and_as_text() -> None:
    inner = {"success": True, "errorCode": "S0000"}
    assert sf.result({"apiResultData": inner}) == inner
    assert sf.result({"apiResultData": json.dumps(inner)}) == inner
    for broken in ({}, {"apiResultData": "{"}, {"apiResultData": "[]"}, {"apiResultData": 3}, [], None):
        assert sf.result(broken) is None
