"""Who signed a request: docs/interfaces/issuing-agent.md §3."""

import base64
import binascii
import hashlib
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.http import HttpRequest

from xueka.contexts.personalization import api as personalization
from xueka.entrypoints.rest.agent_problems import Problem
from xueka.kernel import clock
from xueka.kernel.errors import NotFound

TOLERANCE = 60  # seconds
_NONCE = re.compile(r"[0-9a-f]{32}", re.ASCII)
_TIME = re.compile(r"\d{1,12}", re.ASCII)


def text(method: str, path: str, timestamp: str, nonce: str, body: bytes) -> bytes:
    """What is signed."""
    return "\n".join((method, path, timestamp, nonce, hashlib.sha256(body).hexdigest())).encode()


def signed_by(request: HttpRequest) -> personalization.Agent:
    """The agent that signed this request just now, for the first time.

    Raises Problem 401 `AGENT_UNKNOWN`, `SIGNATURE_WRONG`, `CLOCK_SKEW`, `NONCE_USED`; 403 `AGENT_BLOCKED`.
    """
    code, timestamp, nonce, signature = (
        request.headers.get(f"Xueka-{name}", "") for name in ("Agent", "Timestamp", "Nonce", "Signature")
    )
    try:
        agent = personalization.by_code(code[:40])
    except NotFound as unknown:
        raise Problem(401, unknown.code, unknown.message, unknown.action or "") from None
    if not _TIME.fullmatch(timestamp) or not _NONCE.fullmatch(nonce):
        raise _wrong()
    signed = text(request.method or "", request.path, timestamp, nonce, request.body)
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes(agent.public_key))
        key.verify(base64.b64decode(signature, validate=True), signed)
    except (InvalidSignature, binascii.Error, ValueError):
        raise _wrong() from None
    now = int(clock.now().timestamp())
    if abs(now - int(timestamp)) > TOLERANCE:
        raise Problem(401, "CLOCK_SKEW", "电脑的时间不对。", "请校准电脑的时间后再试。", server_time=now)
    if not personalization.use_nonce(agent, nonce):
        raise Problem(401, "NONCE_USED", "这个请求已经收到过。", "请换一个随机数重新发送。")
    if agent.state == "blocked":
        raise Problem(403, "AGENT_BLOCKED", f"{agent.name}已被禁用。", "请联系系统管理员。")
    return agent


def _wrong() -> Problem:
    return Problem(401, "SIGNATURE_WRONG", "请求的签名不对。", "请重新注册这台电脑。")
