import pytest

pytest.register_assert_rewrite("tests.journeys.support")

from tests.journeys.support import chromium, page, site  # noqa: E402

__all__ = ["chromium", "page", "site"]
