"""What happens where a part of the machine is missing."""

import pytest

from tests.support.parts import require


def test_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    require("the reader", [])


def test_a_test_is_skipped_and_the_part_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"the reader needs pcscd, swig") as skipped:
        require("the reader", ["pcscd", "swig"])
    assert skipped.value.allow_module_level


@pytest.mark.parametrize("said", ["true", "1", "True"])
def test_where_all_must_be_there_it_fails(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", said)
    with pytest.raises(pytest.fail.Exception, match="the reader needs pcscd"):
        require("the reader", ["pcscd"])
