"""Jingtong's sign-on: OpenID Connect on Authlib and joserfc (docs/interfaces/jingtong.md §2)."""

import json
import math
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import requests
import structlog
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from django.conf import settings
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from requests.adapters import BaseAdapter

from xueka.contexts.families.ports import Asked, Citizen, Over, SignOnDeclined, SignOnFailed
from xueka.kernel.foreign import json_of
from xueka.kernel.identifiers import phone_problem
from xueka.platform import outward

log = structlog.get_logger("xueka.families")

SCOPE = "openid phone payment"
ALGORITHMS = ["RS256", "ES256", "PS256"]
#: Cards of simulators say so; they may be spoken with by http.
DEMO = "demo-"
_SECONDS = 10  # of silence; a whole answer within twice as many
_LEEWAY = 60  # seconds that the two clocks may be apart
_LONGEST = 600  # seconds from `iat` to `exp`
_KEPT = 3600  # seconds that the configuration is used again
_SILENT = 30  # seconds that nobody asks again whom nobody has answered
_NEEDED = ("issuer", "client_id", "client_secret")
_LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
#: By issuer: when it was read, what it said and its keys; an empty configuration: there was no answer.
_known: dict[str, tuple[float, dict[str, Any], KeySet]] = {}


def card() -> dict[str, Any] | None:
    """What Jingtong handed over; None where it has not."""
    try:
        found = json.loads(settings.JINGTONG_PARTNER.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _account() -> dict[str, Any]:
    """The same, with all that a sign-on needs. Raises SignOnFailed `SIGN_ON_CLOSED`."""
    known = card() or {}
    lacking = [name for name in _NEEDED if not isinstance(known.get(name), str) or not known[name]]
    if lacking:
        if known:
            log.warning("families.sign_on_card", lacking=lacking)
        raise _failed("SIGN_ON_CLOSED", "京通登录还没有开通。")
    return known


def hand_over(site: str) -> Path:
    """Write what Jingtong has to know of us: where its tiles lead and where a sign-on comes back."""
    city = settings.JINGTONG_PARTNER.parent.joinpath("city")
    city.mkdir(parents=True, exist_ok=True)
    entry = f"{site}/parent/jingtong/"
    content = {
        "entry": entry,
        "redirect_uris": [f"{entry}back/"],
        "backchannel_logout_uri": f"{site}/api/jingtong/logout",
        "wechat_cashier": _demo_cashier(),
    }
    path, text = city.joinpath("client.json"), json.dumps(content, indent=2)
    if not path.exists() or path.read_text("utf-8") != text:
        draft = path.with_suffix(".part")
        draft.write_text(text, "utf-8")
        draft.replace(path)
    return path


def ask(redirect_uri: str, *, again: bool = False) -> Asked:
    """Begin a sign-on; `again` asks a citizen who has refused. Raises SignOnFailed."""
    with _client(redirect_uri) as client:
        configuration, _ = _platform()
        nonce, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        more = {"prompt": "consent"} if again else {}
        url, state = client.create_authorization_url(
            configuration["authorization_endpoint"], code_verifier=verifier, nonce=nonce, **more
        )
    return Asked(url, state, nonce, verifier)


def hear(asked: Asked, answer: Mapping[str, str], redirect_uri: str) -> Citizen:
    """Who came back, proved. Raises SignOnDeclined, SignOnFailed; a code is good for one call."""
    state = answer.get("state", "")
    if not asked.state or not secrets.compare_digest(asked.state.encode(), state.encode()):
        raise _failed("SIGN_ON_STATE", "这次登录不是从本页开始的，或已经过期。")
    if answer.get("error") == "access_denied":
        raise SignOnDeclined("SIGN_ON_DECLINED", "您没有同意授权，没有登录。")
    if answer.get("error") or not answer.get("code"):
        log.warning("families.sign_on_refused", error=answer.get("error", "")[:80])
        raise _failed("SIGN_ON_REFUSED", "京通没有完成登录。")
    with _client(redirect_uri) as client:
        configuration, keys = _platform()
        try:
            token = client.fetch_token(
                configuration["token_endpoint"], code=answer["code"], code_verifier=asked.verifier
            )
        except (OAuthError, requests.RequestException, ValueError) as error:
            log.warning("families.sign_on_no_token", error=str(error)[:120])
            raise _failed("SIGN_ON_SILENT", "京通没有回应。") from None
        text = str(token.get("id_token", ""))
        claims = _read(text, keys).claims
    return _citizen(claims, asked.nonce, configuration["issuer"])


def hear_over(text: str) -> Over:
    """A logout token (OpenID Connect Back-Channel Logout 1.0): who has left Jingtong. Raises SignOnFailed."""
    configuration, keys = _platform()
    token = _read(text, keys, _SILENT)  # anybody may send one: no call for each
    claims, kind = token.claims, str(token.header.get("typ", "JWT")).lower()
    events = claims.get("events")
    told = isinstance(events, dict) and isinstance(events.get(_LOGOUT), dict)
    if kind not in ("logout+jwt", "jwt") or not told or "nonce" in claims:
        raise _refused_token("no logout token")
    _hold(claims, configuration["issuer"], jti={"essential": True})
    return Over(configuration["issuer"], str(claims["sub"])[:200], int(claims["iat"]))


def _read(text: str, keys: KeySet, kept: float = 0) -> jwt.Token:
    """Signed by Jingtong; its keys may have changed since we read them, if that is `kept` seconds ago."""
    try:
        return jwt.decode(text, keys, algorithms=ALGORITHMS)
    except (JoseError, ValueError, RecursionError):
        try:
            return jwt.decode(text, _platform(kept)[1], algorithms=ALGORITHMS)
        except (JoseError, ValueError, RecursionError) as error:
            raise _refused_token(type(error).__name__) from None


def _hold(claims: Mapping[str, Any], issuer: str, **more: Any) -> None:
    """What both tokens have to hold: whose, for whom, how old."""
    client = _account()["client_id"]
    rules = jwt.JWTClaimsRegistry(
        leeway=_LEEWAY,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
        **more,
    )
    try:
        rules.validate(dict(claims))
    except (JoseError, TypeError, ValueError) as error:
        raise _refused_token(str(error)) from None
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", "" if several else client) != client:
        raise _refused_token("issued to another client")
    if claims["exp"] - claims["iat"] > _LONGEST:
        raise _refused_token("lives too long")


def _citizen(claims: Mapping[str, Any], nonce: str, issuer: str) -> Citizen:
    _hold(claims, issuer, nonce={"essential": True, "value": nonce})
    if claims.get("acr") != "real-name":
        raise SignOnFailed(
            "SIGN_ON_LEVEL",
            "您在京通还没有实名认证。",
            action="请先在京通完成实名认证，再回来登录；也可以用验证码登录。",
        )
    phone = claims.get("phone_number")
    if not isinstance(phone, str) or phone_problem(phone) or claims.get("phone_number_verified") is not True:
        raise _failed("SIGN_ON_PHONE", "京通没有给出核实过的手机号。")
    openid = claims.get("wechat_openid")
    return Citizen(issuer, str(claims["sub"])[:200], phone, openid[:128] if isinstance(openid, str) else "")


def _client(redirect_uri: str) -> OAuth2Session:
    known = _account()
    session = OAuth2Session(
        known["client_id"],
        known["client_secret"],
        redirect_uri=redirect_uri,
        scope=SCOPE,
        code_challenge_method="S256",
    )
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Whole())
    return session


class _Whole(BaseAdapter):
    """Carries the calls of Authlib's session, which has deadlines of each read alone."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        body = request.body or b""
        try:
            answer = outward.request(
                str(request.method),
                str(request.url),
                _SECONDS,
                content=body if isinstance(body, bytes) else str(body).encode(),
                headers={
                    name: told if isinstance(told, str) else told.decode()
                    for name, told in request.headers.items()
                },
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise requests.ConnectionError(type(error).__name__) from None
        made = requests.Response()
        made.status_code, made.url, made.request = answer.status_code, str(request.url), request
        made.headers.update(answer.headers)
        made._content = answer.content
        return made

    def close(self) -> None:
        """Each call has a connection of its own."""


def _platform(kept: float = _KEPT) -> tuple[dict[str, Any], KeySet]:
    """The platform's configuration and keys, read anew after `kept` seconds. One that did not answer is not
    asked again at once: every citizen would wait as long as the first.
    """
    issuer = str(_account()["issuer"]).rstrip("/")
    at, configuration, keys = _known.get(issuer, (-math.inf, {}, KeySet([])))
    age = time.monotonic() - at
    if configuration and age < kept:
        return configuration, keys
    if not configuration and age < _SILENT:
        raise _failed("SIGN_ON_SILENT", "京通没有回应。")
    try:
        configuration = _json(_safe(f"{issuer}/.well-known/openid-configuration"))
        if configuration.get("issuer", "").rstrip("/") != issuer:
            raise ValueError("another issuer")
        for each in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            _safe(configuration[each])
        keys = KeySet.import_key_set(_json(configuration["jwks_uri"]))  # type: ignore[arg-type]
    except (httpx.HTTPError, httpx.InvalidURL, JoseError, ValueError, KeyError, TypeError) as error:
        log.warning("families.sign_on_unreadable", error=f"{type(error).__name__} {error}"[:120])
        if age >= _KEPT:
            _known[issuer] = (time.monotonic(), {}, KeySet([]))
        raise _failed("SIGN_ON_SILENT", "京通没有回应。") from None
    _known[issuer] = (time.monotonic(), configuration, keys)
    return configuration, keys


def _safe(address: str) -> str:
    """`https`; on this machine `http` to a simulator. Codes and keys travel no other way."""
    told = urlsplit(address)
    demo = str((card() or {}).get("code", "")).startswith(DEMO)
    if told.scheme != "https" and not (demo and (told.scheme, told.hostname) == ("http", "127.0.0.1")):
        raise ValueError("not https")
    return address


def _json(address: str) -> dict[str, Any]:
    answer = outward.request("GET", address, _SECONDS)
    answer.raise_for_status()
    found: dict[str, Any] = json_of(answer.content)
    return found


def _demo_cashier() -> str | None:
    """Where a browser pays that is no WeChat: simulators have one (docs/interfaces/channels.md §5)."""
    if not str((card() or {}).get("code", "")).startswith(DEMO):
        return None
    try:
        channels = json.loads(settings.CHANNEL_PARTNER.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return str(channels["wechat"].get("cashier") or "") or None


def _refused_token(why: str) -> SignOnFailed:
    log.warning("families.sign_on_token", error=why[:120])
    return _failed("SIGN_ON_TOKEN", "京通的登录凭证没有通过核对。")


def _failed(code: str, message: str) -> SignOnFailed:
    return SignOnFailed(code, message, action="请稍后再试，或用验证码登录。")
