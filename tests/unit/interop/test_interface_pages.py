"""The pages of the interfaces: what stopped by age, a comparison asked for and shown."""

import re
from datetime import timedelta
from pathlib import Path

from django.test import Client
from django.urls import reverse

from tests.unit.interop.conftest import CODE, SYSTEM, City, Tong, send
from tests.unit.interop.test_beijing_tong import tell
from tests.unit.interop.test_cards_told import numbers
from tests.unit.transit.test_pages import operator
from xueka.contexts.interop import api as interop
from xueka.entrypoints.portals.city.interfaces import words
from xueka.kernel import clock
from xueka.platform.exchange.models import Incoming
from xueka.platform.exchange.services import post

__all__ = ["operator"]
PAGE = reverse("city:interface", args=[CODE])


def keys(text: str) -> list[str]:
    part = text[text.index('id="dead"') :]
    return re.findall(r'data-label="对象" class="xk-code">([^<]+)', part)


def test_what_has_stopped_is_in_the_order_of_its_age(city: City, tong: Tong, operator: Client) -> None:
    tong.dial(refuse=1)
    start = clock.now()
    for minute, name in enumerate(("old", "later")):
        with clock.at(start + timedelta(minutes=10 * minute)):
            post(CODE, "card.status", f"card:{name}", {})
            send()
    tong.dial(refuse=0)
    with clock.at(start + timedelta(minutes=5)):
        tell(tong, "citizen.corrected", "card:between", number="?")
    assert Incoming.objects.get().state == "dead"
    with clock.at(start + timedelta(hours=1)):
        assert keys(operator.get(PAGE).content.decode()) == ["卡 old", "卡 between", "卡 later"]
        newest = operator.get(PAGE, {"dead": "newest"}).content.decode()
        assert keys(newest) == ["卡 later", "卡 between", "卡 old"]
        rows = operator.get(reverse("city:interface_messages", args=[CODE]), {"state": "dead"})
        text = rows.content.decode()
        assert text.index("卡 old") < text.index("卡 later")
        turned = operator.get(
            reverse("city:interface_messages", args=[CODE]), {"state": "dead", "sort": "-id"}
        ).content.decode()
        assert turned.index("卡 later") < turned.index("卡 old")


def test_every_kind_of_message_of_the_contracts_has_words() -> None:
    pages = [Path("docs/interfaces", f"{name}.md") for name in ("beijing-tong", "transit", "welfare")]
    rows = [row for page in pages for row in page.read_text("utf-8").splitlines() if row.startswith("| `")]
    kinds = {kind for row in rows for kind in re.findall(r"`([a-z]+\.[a-z]+)`", row)}
    assert kinds == set(words.KINDS_OF_MESSAGE)


def test_a_difference_is_shown_field_by_field(city: City, tong: Tong, operator: Client) -> None:
    assert interop.DATASET_FIELDS.keys() == interop.DATASET_NAMES.keys()
    [number] = numbers(city.active(city.students(1)))
    tong.house.book.put("card-status", number, f"{number}|OTHER|active")
    interop.reconcile(SYSTEM, tong.partner, "card-status")
    page = reverse("city:interface_difference", args=[interop.differences(SYSTEM).get().id])
    text = operator.get(page).content.decode()
    rows = re.findall(r'"内容">([^<]+)<.*?"对方"[^>]*>([^<]+)<.*?"比较">(.*?)</td>', text)
    assert [(name, theirs, "不同" in same) for name, theirs, same in rows] == [
        ("卡号", number, False),
        ("北京通号", "OTHER", True),
        ("状态", "active", False),
    ]
    tong.house.book.put("card-status", number, "another shape")
    interop.reconcile(SYSTEM, tong.partner, "card-status")
    assert '"对方" class="xk-code xk-wrap">another shape' in operator.get(page).content.decode()


def test_a_comparison_is_asked_for_on_the_page_and_shown_there(
    city: City, tong: Tong, operator: Client
) -> None:
    numbers(city.active(city.students(2)))
    part = reverse("city:interface_comparing", args=[CODE])
    assert "还没有核对过" in operator.get(PAGE).content.decode()
    ask = reverse("city:interface_compare", args=[CODE])
    assert operator.post(ask, {"dataset": "card-status"}).status_code == 302
    shown = operator.get(part).content.decode()
    assert "正在核对" in shown and part in shown  # it asks again
    refused = operator.post(ask, {"dataset": "card-status"}, headers={"Accept": "application/json"})
    assert refused.status_code == 409 and "正在核对" in refused.content.decode()
    interop.compare_asked()
    shown = operator.get(part).content.decode()
    assert "2 项差异" in shown and part not in shown
    assert operator.post(ask, {"dataset": "nothing"}).status_code == 404
