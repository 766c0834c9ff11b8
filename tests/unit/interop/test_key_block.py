"""The SM2 keys of a counterpart on its page: ours to hand over, theirs to compare."""

import json
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from tests.unit.interop.conftest import CODE, SYSTEM, City, Tong
from tests.unit.transit.test_pages import operator
from xueka.entrypoints.design import formats
from xueka.platform.crypto.sm2 import PrivateKey
from xueka.platform.exchange import own_keys

__all__ = ["operator"]


def test_keys_of_both_sides(
    city: City, tong: Tong, operator: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_keys, "keys_directory", lambda: tmp_path / "own")
    page = reverse("city:interface", args=[CODE])
    assert "签名公钥" not in operator.get(page).content.decode() and own_keys.stamp(CODE) is None
    theirs = PrivateKey.generate().public
    path = tmp_path / CODE / "partner.json"
    more = {"sign": ["v1sm2"], "sm2_public": [theirs.to_pem().decode("ascii")]}
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | more), "utf-8")
    first = operator.get(page).content.decode()
    own_keys.make_next(SYSTEM, CODE)
    both = operator.get(page).content.decode()
    new, old = own_keys.signing(CODE)
    for shown, held in ((first, [old]), (both, [new, old])):
        assert formats.groups(theirs.fingerprint) in shown and "PRIVATE" not in shown
        for each in held:
            assert formats.groups(each.public.fingerprint) in shown
            assert escape(each.public.to_pem().decode("ascii")) in shown
    assert "正在更换" in both and "正在更换" not in first
