"""Channels in memory for every check of money."""

import pytest


@pytest.fixture
def in_memory(settings) -> None:
    settings.PAYMENT_CHANNELS = dict.fromkeys(
        ("wechat", "alipay", "nontax"), "tests.support.fake_channel.connect"
    )
