"""The second person signs what her page has shown, and nothing that has changed since."""

import re

import pytest
from django.db import transaction
from django.test import Client

from tests.support import factors
from tests.unit.closing.conftest import MONDAY, NEXT, ONE, Office
from xueka.contexts.closing import api as closing
from xueka.contexts.treasury import api as treasury
from xueka.platform.identity import second_factor, services
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("test")
PASSWORD = "Qianmen-Dajie-88"
WEEK = "/finance/closes/2026-W37/"


def log_in(client: Client) -> None:
    user, _ = services.create_user(SYSTEM, "second", "卫清", "finance")
    user.set_password(PASSWORD)
    user.must_change_password = False
    user.save()
    second_factor.enrol_at_once(SYSTEM, "second")
    factors.answer(client, "second", client.post("/login/", {"username": "second", "password": PASSWORD}))


def seen(page: str) -> list[str]:
    return re.findall(r'name="seen" value="([^"]+)"', page)


def test_only_what_was_shown_is_signed(office: Office, client: Client) -> None:
    payment = office.paid()
    office.to(NEXT)
    office.forget = {payment.out_trade_no}
    office.statements()
    office.reconcile()
    log_in(client)
    row = treasury.open_breaks(EVERYWHERE).get()

    def explain(text: str) -> None:
        with transaction.atomic():
            treasury.explain(ONE, row.id, text)

    def state() -> str:
        row.refresh_from_db()
        return row.state

    explain("渠道次日补账")
    everything = {"everything": "1", "filters": ""}
    shown = seen(client.post("/finance/breaks/preview/sign/", everything).content.decode())
    single = seen(client.get(f"/finance/breaks/{row.id}/").content.decode())
    assert (len(shown), len(single)) == (1, 1)
    explain("另一个原因")
    client.post("/finance/breaks/do/sign/", {"seen": shown})
    assert state() == "explained"
    client.post(f"/finance/breaks/{row.id}/sign/", {"seen": single})
    assert state() == "explained"
    # A filter is not carried from the preview to the act: nothing that was not shown is signed.
    client.post("/finance/breaks/do/sign/", everything)
    assert state() == "explained"
    again = seen(client.post("/finance/breaks/preview/sign/", everything).content.decode())
    client.post("/finance/breaks/do/sign/", {"seen": again})
    assert state() == "signed"

    office.collect()
    first = office.prepare()
    assert f'name="close" value="{first.number}"' in client.get(WEEK).content.decode()
    with transaction.atomic():
        closing.drop(ONE, first.id, "填错")
    second = office.prepare(MONDAY)
    client.post(f"{WEEK}sign/", {"close": first.number})
    second.refresh_from_db()
    assert second.state == "prepared"
    client.post(f"{WEEK}sign/", {"close": second.number})
    second.refresh_from_db()
    assert (second.state, second.signed_by) == ("signed", "second")


def test_pages_read_no_more_than_they_show(office: Office, client: Client) -> None:
    """The chain is checked when asked for, a signed week comes from its sums, 退付 by pages."""
    payment = office.paid()
    office.to(NEXT)
    signed = office.close()
    office.remit(signed, slip="JK-1")
    refund = office.refund(payment, 700)
    closing.register_back_payments()
    log_in(client)
    assert client.get("/finance/closes/").context["chain"] is None
    assert client.get("/finance/closes/?check=chain").context["chain"].ok
    found = client.get(WEEK).context["found"]
    assert (found.payments, [each.orders for each in found.channels if each.orders]) == ((), [1])
    assert len(closing.proposal(EVERYWHERE, MONDAY).payments) == 1
    page = client.get("/finance/back/")
    assert (page.context["list"].total, "JK-1" in page.content.decode()) == (1, True)
    assert "JK-1" in client.get(f"/finance/back/{refund.id}/").content.decode()
    assert client.get("/finance/back/999999/").status_code == 404
