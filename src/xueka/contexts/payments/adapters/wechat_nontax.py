"""WeChat's statement of the non-tax interface: what was paid by code (docs/interfaces/nontax.md §10)."""

import json
import urllib.parse
from collections.abc import Mapping
from datetime import date
from typing import Any

from xueka.contexts.payments.adapters import downloads
from xueka.contexts.payments.ports import ChannelUnavailable
from xueka.kernel.foreign import json_of

_NONE = 89503


def statement(card: Mapping[str, Any], day: date) -> bytes | None:
    """The file of a day as it comes; None where nothing was paid. Raises ChannelUnavailable."""
    told = card.get("wechat_nontax")
    if not told:
        return None  # a city whose codes are not paid by WeChat
    query = urllib.parse.urlencode(
        {"grant_type": "client_credential", "appid": told["appid"], "secret": told["secret"]}
    )
    granted = _said(_fetch(f"{told['base']}/cgi-bin/token?{query}"))
    if granted is None or "access_token" not in granted:
        raise ChannelUnavailable("CHANNEL_ANSWER", "微信非税接口没有给出访问凭证。")
    address = f"{told['base']}/nontax/downloadbill?" + urllib.parse.urlencode(
        {"access_token": granted["access_token"]}
    )
    asked = {"appid": told["appid"], "mch_id": told["mch_id"], "bill_date": f"{day:%Y%m%d}"}
    content = _fetch(address, json.dumps(asked).encode())
    refusal = _said(content)
    if refusal is None:
        return content
    if refusal.get("errcode") == _NONE:
        return None
    code = str(refusal.get("errcode", ""))[:20]
    raise ChannelUnavailable(f"NONTAX_{code}", f"微信非税：{str(refusal.get('errmsg', ''))[:120]}")


def _fetch(address: str, body: bytes | None = None) -> bytes:
    if not address.startswith(("https://", "http://127.0.0.1:")):
        raise ChannelUnavailable("CHANNEL_ANSWER", "微信非税接口的地址不对。")
    try:
        return downloads.fetch(address, body, downloads.JSON)
    except OSError as error:
        raise ChannelUnavailable("CHANNEL_SILENT", "微信非税接口没有回应。", found=str(error)) from None


def _said(content: bytes) -> dict[str, Any] | None:
    """A JSON answer; None for a file."""
    if not content.lstrip().startswith(b"{"):
        return None
    try:
        found = json_of(content)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
