"""The sample statements and frames that lie beside the checkout, against their answer key, by command."""

import json

import pytest

from tests.support.commands import Run, xueka
from tests.support.given import DATA, given_files

__all__ = ["xueka"]

KEY = "sample_statements_key.json"
STATEMENTS = {
    "sample_wechat.csv": "wechat",
    "sample_wechat_bom_lf.csv": "wechat",
    "sample_wechat_wrong_total.csv": "wechat",
    "sample_alipay.zip": "alipay",
    "sample_alipay_wrong_total.zip": "alipay",
}
FRAMES = ("sample_nontax_5996.bin", "sample_nontax_bad_mac.bin", "sample_nontax_bad_length.bin")


@pytest.fixture(scope="module")
def key() -> dict[str, dict[str, object]]:
    answers: dict[str, dict[str, object]] = json.loads((given_files() / KEY).read_text("utf-8"))
    assert {*answers} == {*STATEMENTS, *FRAMES}
    return answers


@pytest.mark.parametrize(("name", "channel"), STATEMENTS.items())
def test_a_statement(name: str, channel: str, key: dict[str, dict[str, object]], xueka: Run) -> None:
    code, found = xueka("statement", "check", str(DATA / name), "--channel", channel)
    expected = dict(key[name])
    agree = expected.pop("totals_agree")
    errors = found.pop("errors")
    assert found == expected
    assert (code, not errors) == (0 if agree else 1, agree)
    assert all(error["code"] == "TOTAL_DIFFERS" and error["line"] > 1 for error in errors)


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame(
    name: str, key: dict[str, dict[str, object]], xueka: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XUEKA_NONTAX_TOKEN", "xueka-test-token")
    code, found = xueka("nontax", "decode", str(DATA / name))
    assert found == key[name]
    assert code == (0 if found["length_ok"] and found["mac_ok"] else 1)


def test_a_frame_under_another_token(key: object, xueka: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XUEKA_NONTAX_TOKEN", "another")
    code, found = xueka("nontax", "decode", str(DATA / FRAMES[0]))
    assert (code, found["mac_ok"], found["length_ok"]) == (1, False, True)
