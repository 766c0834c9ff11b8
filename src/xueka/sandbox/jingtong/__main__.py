"""`python -m xueka.sandbox.jingtong`: sign-on and container, one process on one loopback port."""

import argparse
import base64
import contextlib
import hmac
import json
import re
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from xueka.sandbox.common import http, pages, process, struck
from xueka.sandbox.common.control import Control
from xueka.sandbox.common.dial import Clock, Dial
from xueka.sandbox.common.http import (
    HANG_UP,
    PAGE_POLICY,
    Answer,
    Request,
    html_answer,
    json_answer,
    redirect,
)
from xueka.sandbox.common.store import Store, rows
from xueka.sandbox.common.struck import Calls, Words
from xueka.sandbox.jingtong.provider import LIES, SCHEMA, Denied, Provider, kept

CLIENT = "xueka-parents"
SCOPES = {"openid", "phone", "payment"}
COOKIE = "jt_citizen"
#: Words of the tiles (§3).
TILES = {
    "home": "我的孩子",
    "lost": "学生卡挂失",
    "replace": "补卡换卡",
    "pay": "学生卡缴费",
    "transit": "公交有效期",
    "parcel": "卡到哪了",
}
WECHAT = ("appId", "timeStamp", "nonceStr", "package", "signType", "paySign")
PRESETS: dict[str, dict[str, float]] = {
    "settings": {"delay_ms": 400},
    "none": {},
    "light": struck.LIGHT,
    "heavy": {**struck.HEAVY, **dict.fromkeys(LIES, 0.03)},
}


class House:
    def __init__(self, options: argparse.Namespace) -> None:
        home: Path = options.home
        keys = home / "keys"
        keys.mkdir(parents=True, exist_ok=True)
        keys.chmod(0o700)
        self.card, self._city = home / "partner.json", home / "city" / "client.json"
        self._secret, self._token = kept(keys / "client-secret"), kept(keys / "control")
        self.store = Store(home / "jingtong.sqlite3", SCHEMA)
        self.clock = Clock(self.store)
        self.dial = Dial(self.store, self.clock, options.seed, PRESETS, f"{options.faults},{options.dial}")
        self.calls = Calls(self.store, self.dial)
        self.provider = Provider(self.store, self.clock, self.dial, keys, CLIENT)
        self.control = Control(self.clock, self.dial, None, self._token)
        wanted = options.port or http.port_before(self.card)
        self.server = http.bind(lambda port: http.Server(port, self.answer), wanted)
        self._calls: dict[tuple[str, str], Callable[[Request], Answer]] = {
            ("GET", "/style.css"): lambda _: pages.style(),
            ("GET", "/"): self._container,
            ("POST", "/come"): self._come,
            ("POST", "/leave"): self._leave,
            ("GET", "/authorize"): self._authorize,
            ("POST", "/agree"): self._agreed,
            ("GET", "/cashier"): self._cashier,
            ("GET", "/.well-known/openid-configuration"): self._struck,
            ("GET", "/jwks.json"): self._struck,
            ("POST", "/token"): self._struck,
        }

    @property
    def issuer(self) -> str:
        return self.server.base

    def start(self) -> None:
        self.server.start()
        http.write_card(
            self.card,
            {
                "code": "demo-jingtong",
                "name": "京通（模拟器）",
                "port": self.server.port,
                "issuer": self.issuer,
                "client_id": CLIENT,
                "client_secret": self._secret,
                "home": f"{self.issuer}/",
                "cashier": f"{self.issuer}/cashier",
                "control_token": self._token,
            },
        )

    def stop(self) -> None:
        self.server.stop()

    # ---- where calls go

    def answer(self, request: Request) -> Answer:
        if request.path.startswith("/_sim/"):
            return self._controlled(request)
        call = self._calls.get((request.method, request.path))
        if call is None:
            return self._page("没有这一页", "京通", pages.state("没有这一页", "bad"), status=404)
        return call(request)

    def _struck(self, request: Request) -> Answer:
        words = Words(lambda done: json_answer({"error": "server_error"}, 500), HANG_UP, _limited)
        return self.calls.struck("jingtong", words, lambda: self._called(request), detail=request.path)

    def _called(self, request: Request) -> Answer:
        match request.path:
            case "/jwks.json":
                return json_answer(self.provider.keys())
            case "/token":
                return self._token_for(request)
        return json_answer(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks.json",
                "response_types_supported": ["code"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
                "scopes_supported": sorted(SCOPES),
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            }
        )

    def _token_for(self, request: Request) -> Answer:
        shown = request.header("Authorization").removeprefix("Basic ")
        right = base64.b64encode(f"{CLIENT}:{self._secret}".encode()).decode()
        if not hmac.compare_digest(shown, right):
            return json_answer({"error": "invalid_client"}, 401)
        try:
            return json_answer(self.provider.token(self.issuer, request.form))
        except Denied as denied:
            return json_answer({"error": denied.error}, denied.status)
        except ValueError:
            return json_answer({"error": "invalid_request"}, 400)

    # ---- pages

    def _container(self, request: Request) -> Answer:
        citizen = self._citizen(request)
        if citizen is None:
            return self._who("/")
        client = self._client()
        if not client:
            said = pages.state("学生卡服务还没有接入。", "bad")
            return self._page("京通", "京通", said)
        tiles = "".join(
            f'<li><a href="{pages.escape(client["entry"])}?to={to}">{label}</a></li>'
            for to, label in TILES.items()
        )
        other = pages.link("/?who=1", "换一位市民", second=True)
        if "who" in request.query:
            return self._who("/")
        shown = f'<h1>学生卡</h1><ul class="list">{tiles}</ul>'
        leave = pages.buttons("/leave", [("leave", "退出京通")], second=True)
        return self._page("京通", f"京通 · {citizen['phone']}", shown, other, leave)

    def _who(self, back: str) -> Answer:
        field = (
            '<p><label>手机号 <input name="phone" inputmode="tel" required pattern="1[0-9]{10}"></label></p>'
            '<p><label><input type="checkbox" name="basic" value="1"> 没有实名认证</label></p>'
            f'<input type="hidden" name="back" value="{pages.escape(back)}">'
        )
        form = pages.buttons("/come", [("come", "以这位市民进入")], inside=field)
        return self._page("京通登录", "京通", "<h1>哪一位市民</h1>", form)

    def _come(self, request: Request) -> Answer:
        form, back = request.form, request.form.get("back", "/")
        if not re.fullmatch(r"1\d{10}", form.get("phone", "")):
            return self._who(back)
        subject = self.provider.come(form["phone"], "basic" if form.get("basic") else "real-name")
        done = redirect(back if back.startswith("/") and not back.startswith("//") else "/")
        done.headers["Set-Cookie"] = f"{COOKIE}={subject}; Path=/; HttpOnly; SameSite=Lax"
        return done

    def _leave(self, request: Request) -> Answer:
        """The city is told before the citizen sees that she is out; where it does not hear, not again."""
        citizen, address = self._citizen(request), str(self._client().get("backchannel_logout_uri") or "")
        if citizen and _allowed(address):
            self._tell(address, self.provider.logout_token(self.issuer, citizen["subject"]))
        done = redirect("/")
        done.headers["Set-Cookie"] = f"{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
        return done

    def _tell(self, address: str, token: str) -> None:
        form = urlencode({"logout_token": token}).encode()
        asked = urllib.request.Request(address, form, method="POST")  # noqa: S310 - checked by the caller
        with contextlib.suppress(OSError), urllib.request.urlopen(asked, timeout=5):  # noqa: S310
            pass

    def _authorize(self, request: Request) -> Answer:
        query, known = request.query, self._client().get("redirect_uris", [])
        if query.get("client_id") != CLIENT or query.get("redirect_uri") not in known:
            said = pages.state("这个服务没有登记，不能登录。", "bad")
            return self._page("不能登录", "京通", said, status=400)
        citizen, prompt = self._citizen(request), query.get("prompt", "")
        wrong = _defect(query)
        if prompt == "none" and not wrong and not (citizen and citizen["agreed"]):
            wrong = "consent_required" if citizen else "login_required"
        if wrong:
            return _sent_back(query, {"error": wrong})
        if citizen is None:
            return self._who(request.target)
        if citizen["agreed"] and prompt != "consent":
            return self._coded(citizen["subject"], query)
        wanted = "".join(f"<li>{each}</li>" for each in ("您的手机号", "是否已实名认证", "微信支付身份"))
        asked = f"<h1>学生卡 申请使用</h1><ul>{wanted}</ul>"
        hidden = f'<input type="hidden" name="asked" value="{pages.escape(request.target)}">'
        form = pages.buttons("/agree", [("yes", "同意"), ("no", "不同意")], inside=hidden)
        return self._page("授权", f"京通 · {citizen['phone']}", asked, form)

    def _agreed(self, request: Request) -> Answer:
        target = request.form.get("asked", "")
        asked = Request("GET", target, request.headers, b"")
        query, citizen = asked.query, self._citizen(request)
        known = query.get("redirect_uri") in self._client().get("redirect_uris", [])
        if not target.startswith("/authorize?") or not known or _defect(query) or citizen is None:
            return redirect("/")
        if request.form.get("act") != "yes":
            return _sent_back(query, {"error": "access_denied", "error_description": "the citizen refused"})
        self.provider.agree(citizen["subject"])
        return self._coded(citizen["subject"], query)

    def _coded(self, subject: str, query: Mapping[str, str]) -> Answer:
        code = self.provider.code(subject, query["redirect_uri"], query["code_challenge"], query["nonce"])
        return _sent_back(query, {"code": code})

    def _cashier(self, request: Request) -> Answer:
        query, client = request.query, self._client()
        origins = {_origin(each) for each in client.get("redirect_uris", [])}
        back, cancel = query.get("return_url", ""), query.get("cancel_url", "")
        if not all(query.get(name) for name in WECHAT) or not {_origin(back), _origin(cancel)} <= origins:
            said = pages.state("缴费参数不对，没有扣款。", "bad")
            return self._page("缴费", "京通", said, status=400)
        parts = ["<h1>学生卡缴费</h1>"]
        if client.get("wechat_cashier"):
            signed = {name: query[name] for name in WECHAT} | {"redirect_url": back}
            parts.append(pages.link(f"{client['wechat_cashier']}?{urlencode(signed)}", "微信支付"))
        parts.append(pages.link(cancel, "取消", second=True))
        return self._page("缴费", "京通", *parts)

    def _page(self, title: str, who: str, *parts: str, status: int = 200) -> Answer:
        done = html_answer(pages.page("jingtong", title, who, *parts), status)
        allowed = " ".join(sorted({_origin(each) for each in self._client().get("redirect_uris", [])}))
        done.headers["Content-Security-Policy"] = f"{PAGE_POLICY} {allowed}"  # a form may end at the city's
        return done

    # ---- what is known

    def _citizen(self, request: Request) -> Any:
        found = re.search(rf"(?:^|;\s*){COOKIE}=([0-9a-f]+)", request.header("Cookie"))
        return self.provider.citizen(found[1]) if found else None

    def _client(self) -> dict[str, Any]:
        """What the city handed over, with addresses that are allowed; empty where it has not."""
        try:
            found: dict[str, Any] = json.loads(self._city.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        addresses = [found.get("entry", ""), *found.get("redirect_uris", [])]
        return found if all(map(_allowed, addresses)) else {}

    def _controlled(self, request: Request) -> Answer:
        if denied := self.control.denied(request):
            return denied
        if (request.method, request.path) == ("GET", "/_sim/signed-on"):
            known = self.store.all("select subject, phone from citizen where agreed is not null")
            return json_answer(rows(known))
        try:
            done = self.control.answer(request)
        except (ValueError, KeyError, TypeError) as error:
            return json_answer({"code": "REQUEST_WRONG", "message": str(error)}, 400)
        return done or json_answer({"code": "NOT_FOUND", "message": "没有这个控制"}, 404)


def _limited() -> Answer:
    done = json_answer({"error": "temporarily_unavailable"}, 429)
    done.headers["Retry-After"] = "1"
    return done


def _defect(query: Mapping[str, str]) -> str:
    """OAuth's word for what is wrong with the question; empty where nothing is."""
    if not set(query.get("scope", "").split()) <= SCOPES or "openid" not in query.get("scope", "").split():
        return "invalid_scope"
    lengths = all(16 <= len(query.get(name, "")) <= 128 for name in ("state", "nonce"))
    good = query.get("response_type") == "code" and query.get("code_challenge_method") == "S256"
    challenge = re.fullmatch(r"[A-Za-z0-9_-]{43}", query.get("code_challenge", ""))
    return "" if lengths and good and challenge else "invalid_request"


def _sent_back(query: Mapping[str, str], answer: Mapping[str, str]) -> Answer:
    told = {**answer, "state": query.get("state", "")}
    return redirect(f"{query['redirect_uri']}?{urlencode(told)}")


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _allowed(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in http.LOOPBACK)


def parser() -> argparse.ArgumentParser:
    return process.parser("jingtong", __doc__, speed="nothing")


def main() -> None:
    process.run(House(parser().parse_args()))


if __name__ == "__main__":
    main()
