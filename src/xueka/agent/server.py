"""Talking to the server: signed requests, answers and refusals (docs/interfaces/issuing-agent.md §3, §9)."""

import json
import time
from typing import Any
from urllib.parse import urlsplit

import httpx

from xueka.agent.identity import PATH, Identity

WAIT = httpx.Timeout(35.0, connect=10.0)  # the server may hold a poll for 20 s
LOCAL = {"localhost", "127.0.0.1", "::1"}
REPEATED = 3  # times that a request is repeated at once for its clock or its nonce


class Unreachable(Exception):
    """No answer, or one that says: later. `after` is how long the server asks to wait, in seconds."""

    def __init__(self, text: str, after: float = 0.0) -> None:
        super().__init__(text)
        self.after = after


class Refused(Exception):
    """The server has answered no; `code` is stable, the text is for people."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status, self.code = status, str(problem.get("code", ""))
        title, detail = str(problem.get("title", "")), str(problem.get("detail", ""))
        super().__init__("".join(filter(None, (title, f"（{self.code}）" if self.code else "", detail))))


def address_problem(server: str) -> str | None:
    """Why this address cannot be used, in Chinese; None if it can."""
    parts = urlsplit(server)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return "服务器地址应以 https:// 开头。"
    if parts.scheme == "http" and parts.hostname not in LOCAL:
        return "服务器地址应为 https://；http:// 只可用于本机。"
    return None


class Server:
    def __init__(self, address: str, identity: Identity) -> None:
        self._client = httpx.AsyncClient(timeout=WAIT)
        self._address = address.rstrip("/")
        self._prefix = urlsplit(self._address).path
        self._identity = identity
        self._ahead = 0  # seconds that the server's clock is ahead of ours

    async def close(self) -> None:
        await self._client.aclose()

    async def enrol(self, code: str, name: str, version: str) -> dict[str, Any]:
        body = {"code": code, "name": name, "public_key": self._identity.public_key, "version": version}
        return await self._send("/enrol", json.dumps(body).encode(), signed=False)

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer; Refused, or Unreachable. The same body may be sent again at any time."""
        content = json.dumps(body).encode()
        for _ in range(REPEATED):
            try:
                return await self._send(path, content, signed=True)
            except Refused as refused:
                if refused.code not in {"CLOCK_SKEW", "NONCE_USED"}:
                    raise
        raise Unreachable("服务器不接受本机的时间")

    async def _send(self, path: str, content: bytes, signed: bool) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        if signed:
            now = int(time.time()) + self._ahead
            headers |= self._identity.headers(self._prefix + PATH + path, content, now)
        try:
            answer = await self._client.post(f"{self._address}{PATH}{path}", content=content, headers=headers)
        except httpx.HTTPError as error:
            raise Unreachable(_words(error)) from error
        try:
            found = answer.json()
        except ValueError:
            found = None
        if answer.status_code == 200 and isinstance(found, dict):
            return found
        problem = found if isinstance(found, dict) else {}
        if answer.status_code == 429:
            raise Unreachable("服务器要求稍候", after=_seconds(answer.headers.get("Retry-After")))
        if answer.status_code == 401 and problem.get("code") == "CLOCK_SKEW":
            self._ahead = int(problem.get("server_time", time.time())) - int(time.time())
        if answer.status_code >= 500 or not problem.get("code"):
            # Also a proxy's page in place of an answer: it says nothing about the request.
            raise Unreachable(f"服务器没有正常回答（{answer.status_code}）")
        raise Refused(answer.status_code, problem)


def _words(error: httpx.HTTPError) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "服务器的证书不被信任"
    if isinstance(error, httpx.ConnectError):
        return "连不上服务器"
    return "服务器没有及时回答" if isinstance(error, httpx.TimeoutException) else "与服务器的连接中断"


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isdigit() else 5.0
