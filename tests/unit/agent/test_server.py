"""What is said when the server cannot be reached."""

import asyncio
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from xueka.agent import server as module
from xueka.agent.identity import Identity
from xueka.agent.server import Refused, Server, Unreachable


def ask(folder: Path, answer: httpx.Response | httpx.HTTPError) -> object:
    """One signed request that gets this answer."""

    def handle(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, httpx.HTTPError):
            raise answer
        return answer

    async def go() -> object:
        server = Server("https://xueka.example/base", Identity.open(folder))
        server._client = httpx.AsyncClient(transport=httpx.MockTransport(handle))
        try:
            return await server.post("/poll", {})
        finally:
            await server.close()

    return asyncio.run(go())


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"), "服务器的证书不被信任"),
        (httpx.ConnectError("refused"), "连不上服务器"),
        (httpx.ReadTimeout("slow"), "服务器没有及时回答"),
        (httpx.ReadError("reset"), "与服务器的连接中断"),
        (httpx.Response(502, text="<html>"), "服务器没有正常回答（502）"),
        (httpx.Response(404, text="<html>"), "服务器没有正常回答（404）"),
        (httpx.Response(200, text="<html>"), "服务器没有正常回答（200）"),
        (httpx.Response(200, json=[]), "服务器没有正常回答（200）"),
        (httpx.Response(401, json={"code": "CLOCK_SKEW", "server_time": 1}), "服务器不接受本机的时间"),
    ],
)
def test_words(tmp_path: Path, answer: httpx.Response | httpx.HTTPError, said: str) -> None:
    with pytest.raises(Unreachable) as problem:
        ask(tmp_path, answer)
    assert str(problem.value) == said


def test_asked_to_wait(tmp_path: Path) -> None:
    with pytest.raises(Unreachable) as problem:
        ask(tmp_path, httpx.Response(429, headers={"Retry-After": "17"}, json={"code": "TOO_MANY"}))
    assert problem.value.after == 17


def test_refused_with_the_words_of_the_server(tmp_path: Path) -> None:
    body = {"code": "AGENT_BLOCKED", "title": "这个代理已停用。", "detail": "请联系市卡中心。"}
    with pytest.raises(Refused) as refusal:
        ask(tmp_path, httpx.Response(403, json=body))
    assert (refusal.value.status, refusal.value.code) == (403, "AGENT_BLOCKED")
    assert str(refusal.value) == "这个代理已停用。（AGENT_BLOCKED）请联系市卡中心。"


def test_path_that_is_signed_is_the_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(module.Identity, "headers", lambda self, path, body, now: seen.append(path) or {})
    assert ask(tmp_path, httpx.Response(200, json={"work": None})) == {"work": None}
    assert seen == ["/base/api/agent/v1/poll"]


def test_wrong_usage_is_said(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "xueka.agent",
        "--server",
        "http://far.example",
        "--state",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "https://" in done.stderr
