"""An import page says which columns the file must have."""

from xueka.contexts.officers import api as officers
from xueka.contexts.registry import api as registry
from xueka.entrypoints.portals.objects.shapes import columns_in_words


def test_every_column_is_named_as_needed_or_not() -> None:
    words = columns_in_words(officers.COLUMNS)
    assert words == (
        "首行是列名，次序不限。要有：学校标识码、姓名、角色、手机号。可有：电子邮箱、区代码、用户名。"
    )
    for columns in (registry.ROSTER_COLUMNS, registry.SCHOOL_COLUMNS):
        assert all(each.header in columns_in_words(columns) for each in columns)
