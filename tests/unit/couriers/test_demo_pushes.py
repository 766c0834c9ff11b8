"""A demo's couriers push to a door that is there: `xueka serve` notes its address with a slash behind."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.urls import resolve

from xueka.contexts.couriers.adapters import partner
from xueka.contexts.couriers.calling import _site_for_pushes
from xueka.platform.database import home


def test_where_we_listen_has_the_door(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XUEKA_HOME", str(tmp_path))
    Path(tmp_path, "serve.json").write_text(json.dumps({"pid": 1, "address": "http://127.0.0.1:8000/"}))
    settings.COURIER_PARTNER, settings.COURIER_SITE = tmp_path / "couriers" / "partner.json", ""
    settings.COURIER_PARTNER.parent.mkdir()
    settings.COURIER_PARTNER.write_text(json.dumps({"code": "demo-couriers"}), "utf-8")
    partner.introduce_demo(home.serving_at())
    told = json.loads((tmp_path / "couriers" / "city" / "push.json").read_text("utf-8"))
    assert resolve(urlsplit(told["sf"]).path).kwargs == {"courier": "sf"}
    assert resolve(urlsplit(f"{_site_for_pushes()}/api/couriers/kuaidi100/push").path)
