"""The gateway for short messages over HTTP, as docs/interfaces/messages.md describes it."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings

from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Refused
from xueka.kernel.foreign import json_of
from xueka.platform import outward
from xueka.platform.database import home
from xueka.platform.messages.ports import (
    Answer,
    Gateway,
    NotNow,
    NotTaken,
    Outcome,
    Report,
    Taken,
    Unreachable,
)
from xueka.platform.messages.templates import all_versions, approvals

REPORTS = "/api/messages/reports"
_SECONDS = 5
_SKEW = 300
_REASONS = {
    "ABSENT": "关机或不在服务区",
    "BLACKLIST": "用户退订",
    "UNKNOWN_NUMBER": "空号",
    "OPERATOR": "运营商拒绝",
}
#: The same again helps later; everything else that is refused is refused for good.
_AGAIN = {
    "PHONE_LIMIT",
    "TOO_MANY",
    "INTERNAL",
    "SIGNATURE_WRONG",
    "TIMESTAMP_WRONG",
    "NONCE_REPEATED",
    "TEMPLATE_PENDING",
}


@dataclass(frozen=True, slots=True)
class Partner:
    """Where the gateway is and who we are there."""

    base: str
    app: str
    secret: str


def configured() -> Gateway | None:
    """The gateway of this installation; None while there is none."""
    path: Path = settings.MESSAGE_PARTNER
    try:
        card = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    return HttpGateway(Partner(card["base"].rstrip("/"), card["app"], card["secret"]))


def signature(secret: str, *parts: str) -> str:
    """HMAC-SHA256 over the parts, each ended by a line feed (§2)."""
    text = "".join(f"{part}\n" for part in parts)
    return hmac.new(secret.encode("ascii"), text.encode("ascii"), hashlib.sha256).hexdigest()


class HttpGateway:
    """One call, one signed request; what is answered without our secret's signature is not believed."""

    def __init__(self, partner: Partner) -> None:
        self._partner = partner

    def send(self, key: str, phone: str, template: str, values: dict[str, str]) -> Taken:
        site = settings.MESSAGE_SITE or home.serving_at()
        told = f"{site.rstrip('/')}{REPORTS}" if site else None
        body = {"key": key, "to": phone, "template": template, "values": values, "report_url": told}
        status, answer = self._call("POST", "/v1/messages", body)
        if answer.get("code") == "TEMPLATE_UNKNOWN":
            known = next(each for each in all_versions() if each.wire == template)
            number = approvals().get(template)
            text = {"text": known.text, **({"approval": number} if number else {})}
            self._call("PUT", f"/v1/templates/{template}", text)
            status, answer = self._call("POST", "/v1/messages", body)
        if status in (200, 202):
            number, parts = answer.get("message_id"), answer.get("parts")
            if not isinstance(number, str | int) or not 1 <= len(str(number)) <= 64:
                raise Unreachable("短信网关的应答里没有编号。")
            return Taken(str(number), parts if type(parts) is int and 0 < parts < 1_000 else 0)
        raise NotTaken(f"短信网关不接受：{answer.get('message') or answer.get('code') or status}")

    def ask(self, key: str, gateway_id: str) -> Outcome:
        status, answer = self._call("GET", f"/v1/messages/{gateway_id}", None)
        if status == 404:
            return Outcome(problem="短信网关没有这条短信。")
        return _outcome(answer)

    def replies(self, after: int) -> tuple[list[Answer], int]:
        _, answer = self._call("GET", f"/v1/replies?after={after}&limit=100", None)
        try:
            found = [
                Answer(
                    _whole(each["reply_id"])[:64],
                    _whole(each["from"]),
                    _whole(each["text"]),
                    datetime.fromisoformat(each["at"]),
                )
                for each in answer["replies"]
            ]
            following = int(answer["next"])
            if not 0 <= following < 2**63 or any(each.at.tzinfo is None for each in found):
                raise ValueError
            return found, following
        except (KeyError, TypeError, ValueError) as error:
            raise Unreachable(f"短信网关给的回复无法识别（{type(error).__name__}）。") from None

    def reports(self, target: str, headers: Mapping[str, str], body: bytes) -> list[Report]:
        """What has been signed may be heard again: a final state does not change twice."""
        stamp, nonce = headers.get("X-Sms-Timestamp", ""), headers.get("X-Sms-Nonce", "")
        given = headers.get("X-Sms-Signature", "")
        plain = all(each.isascii() for each in (stamp, nonce, given, target)) and stamp.isdecimal()
        near = plain and abs(int(stamp[:16]) - clock.now().timestamp()) <= _SKEW
        right = near and signature(self._partner.secret, "POST", target, stamp, nonce, _digest(body))
        if not right or not hmac.compare_digest(right, given):
            raise Refused("PUSH_REFUSED", "推送没有有效的签名，或时间相差超过 5 分钟。")
        try:
            return [
                Report(str(each["key"]), str(each["message_id"]), _outcome(each))
                for each in json_of(body)["reports"]
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput("PUSH_UNREADABLE", "推送的内容无法识别。", found=type(error).__name__) from None

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, dict[str, Any]]:
        """(status, answer). Raises NotNow, Unreachable where the same call may do better later."""
        content = json.dumps(body, ensure_ascii=False).encode() if body is not None else b""
        stamp, nonce = str(int(clock.now().timestamp())), secrets.token_hex(16)
        signed = signature(self._partner.secret, method, path, stamp, nonce, _digest(content))
        headers = {
            "X-Sms-App": self._partner.app,
            "X-Sms-Timestamp": stamp,
            "X-Sms-Nonce": nonce,
            "X-Sms-Signature": signed,
            "Content-Type": "application/json",
        }
        try:
            answer = outward.request(
                method, self._partner.base + path, _SECONDS, content=content, headers=headers
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(f"短信网关没有应答（{type(error).__name__}）。") from None
        if not self._is_theirs(answer):
            raise Unreachable("短信网关的应答没有有效的签名。")
        try:
            read = json_of(answer.content) if answer.content else {}
        except ValueError:
            read = None
        if not isinstance(read, dict):
            raise Unreachable("短信网关的应答无法识别。")
        if answer.status_code >= 500 or (answer.status_code >= 400 and read.get("code") in _AGAIN):
            raise NotNow(f"短信网关暂时不接受：{read.get('message') or answer.status_code}")
        return answer.status_code, read

    def _is_theirs(self, answer: httpx.Response) -> bool:
        if (
            not answer.content
        ):  # cannot be signed: a refusal would end a message on the word of anybody between
            return answer.is_success
        stamp = answer.headers.get("X-Sms-Timestamp", "")
        if not stamp.isdecimal() or abs(int(stamp) - clock.now().timestamp()) > _SKEW:
            return False
        nonce = answer.headers.get("X-Sms-Nonce", "")
        if not nonce.isascii():
            return False
        right = signature(
            self._partner.secret, str(answer.status_code), stamp, nonce, _digest(answer.content)
        )
        return hmac.compare_digest(right, answer.headers.get("X-Sms-Signature", ""))


def _whole(told: object) -> str:
    """Text that can be kept: a message cut between two halves of a character ends with a half."""
    return str(told).replace("\x00", "").encode("utf-8", "replace").decode()


def _outcome(told: Mapping[str, Any]) -> Outcome:
    """A state that we do not know is one on the way: it is asked about again."""
    state, reason = told.get("state"), str(told.get("reason") or "")
    if state in ("failed", "expired"):
        unknown = "超过有效时间" if state == "expired" else f"未说明（{reason[:32]}）" if reason else "未说明"
        return Outcome(problem=f"未送达：{_REASONS.get(reason, unknown)}。")
    return Outcome(delivered=state == "delivered")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
