"""Names in the order in which a list is called out."""

import pytest

from xueka.contexts.registry.sort_keys import sort_key


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("张文轩", "zhang wen xuan"),
        ("单于明", "chan yu ming"),
        ("单田芳", "shan tian fang"),
        ("解晓东", "xie xiao dong"),
        ("曾一", "zeng yi"),
        ("仇英", "qiu ying"),
        ("尉迟恭", "yu chi gong"),
        ("王单", "wang dan"),  # only as a surname
        ("古丽娜尔·艾合买提江", "gu li na er ai he mai ti jiang"),
        ("彭𠮷文", "peng ji wen"),
        ("O'Neil John", "o'neil john"),
        ("刘\U000323af", "liu \U000323af"),  # without a reading it stands for itself
    ],
)
def test_sort_key(name: str, key: str) -> None:
    assert sort_key(name) == key


def test_a_key_fits_its_column() -> None:
    assert len(sort_key("壮" * 100)) == 200
