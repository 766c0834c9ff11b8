import pytest

from xueka.sandbox.card import keys


@pytest.fixture
def fixed_challenge(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Challenges (hex) that the card gives, one after the other."""
    wanted: list[str] = []
    monkeypatch.setattr(keys.secrets, "token_bytes", lambda count: bytes.fromhex(wanted.pop(0)))
    return wanted
