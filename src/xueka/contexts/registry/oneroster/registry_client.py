"""The student registry's REST interface: token, pages. One call each; who calls again decides elsewhere.

docs/interfaces/oneroster.md §8
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
from django.conf import settings

from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.kernel.foreign import json_of
from xueka.platform import outward

SECONDS = 20
WHOLE = 120  # seconds for one page, whatever comes of it meanwhile
LARGEST = 64 * 1024 * 1024
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_AGAIN = (401, 408, 425, 429)


class RegistryUnavailable(XuekaError):
    """No answer, or none that can be read; the same call may do better later: after `wait` seconds, if the
    registry has said so.
    """

    wait = 0.0


class RegistryRefused(XuekaError):
    """The registry has answered, and the answer is no: asking again does not help.

    `unknown`: there is no such thing.
    """

    unknown = False


@dataclass(frozen=True, slots=True)
class Partner:
    """Where the registry is and who we are there."""

    name: str
    base: str
    token_url: str
    client_id: str
    client_secret: str
    scope: str


@dataclass(frozen=True, slots=True)
class _Got:
    status: int
    headers: httpx.Headers
    body: bytes
    address: str


@dataclass(frozen=True, slots=True)
class Answered:
    """One page: its records as JSON, their sourcedIds, how many there are in all (None: not said), and
    whether the registry itself names a next page.
    """

    content: bytes
    ids: list[str]
    latest: str
    total: int | None
    more: bool


def partner() -> Partner | None:
    """What the registry handed over; None while there is nothing. Raises RegistryRefused if it is no use."""
    path: Path = settings.ONEROSTER_PARTNER
    try:
        card = json.loads(path.read_text("utf-8"))
        made = Partner(
            name=str(card["name"]),
            base=str(card["base"]),
            token_url=str(card["token_url"]),
            client_id=str(card["client_id"]),
            client_secret=str(card["client_secret"]),
            scope=str(card.get("scope", "")),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _bad_card(path, f"{type(error).__name__}: {error}") from None
    for address in (made.base, made.token_url):
        parts = urlsplit(address)
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise _bad_card(path, f"{parts.scheme}://{parts.hostname}")
    return made


def registry_client() -> "RegistryClient":
    """A connection to the registry. Raises RegistryRefused where it has handed over nothing usable."""
    where = partner()
    if where is None:
        raise RegistryRefused("ONEROSTER_NO_PARTNER", "学籍系统的参数文件不在了。")
    return RegistryClient(where)


class RegistryClient:
    """Holds a connection and a token; a token that is refused is fetched anew once."""

    def __init__(self, partner: Partner) -> None:
        self._partner = partner
        self._client = outward.opened(SECONDS)
        self._token = ""

    def __enter__(self) -> "RegistryClient":
        return self

    def __exit__(self, *details: object) -> None:
        self._client.close()

    def page(self, kind: str, offset: int, limit: int, since: str) -> Answered:
        """Records of one kind from `offset` on, ordered by sourcedId; changed after `since` if it is given.

        Raises RegistryUnavailable, RegistryRefused.
        """
        query = {"limit": str(limit), "offset": str(offset), "sort": "sourcedId", "orderBy": "asc"}
        if since:
            query["filter"] = f"dateLastModified>'{since}'"
        answer = self._get(f"{self._partner.base.rstrip('/')}/{kind}", query)
        return _read(kind, answer, offset)

    def of_school(self, org: str, kind: str, offset: int, limit: int, where: str) -> Answered:
        """The same of one school: its students (`users`), `enrollments`, `classes`, that `where` lets pass.

        Raises besides RegistryRefused with `unknown` where the registry has no such school, or no such list.
        """
        query = {"limit": str(limit), "offset": str(offset), "sort": "sourcedId", "orderBy": "asc"}
        part = "students" if kind == "users" else kind
        address = f"{self._partner.base.rstrip('/')}/schools/{quote(org, safe='')}/{part}"
        return _read(kind, self._get(address, {**query, "filter": where}), offset)

    def _get(self, address: str, query: Mapping[str, str]) -> _Got:
        for fresh in (False, True):
            if not self._token or fresh:
                self._token = self._fetch_token()
            headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
            answer = self._send("GET", address, params=query, headers=headers)
            if answer.status != 401:
                break
        _judge(answer)
        return answer

    def _fetch_token(self) -> str:
        form = {"grant_type": "client_credentials", "scope": self._partner.scope}
        account = (self._partner.client_id, self._partner.client_secret)
        answer = self._send("POST", self._partner.token_url, data=form, auth=account)
        if answer.status in (400, 401, 403):
            raise RegistryRefused(
                "ONEROSTER_CREDENTIALS",
                "学籍系统不认我们的凭证。",
                found=f"HTTP {answer.status} {_said(answer)}",
                action="请向登记方核对 partner.json 里的 client_id、client_secret 和 scope。",
            )
        _judge(answer)
        try:
            return str(json_of(answer.body)["access_token"])
        except (ValueError, KeyError, TypeError):
            raise _unreadable("token", "没有 access_token", "OAuth 2 的令牌") from None

    def _send(self, method: str, address: str, **how: Any) -> _Got:
        pieces, size = [], 0
        try:
            with outward.within(WHOLE), self._client.stream(method, address, **how) as answer:
                for piece in answer.iter_bytes():
                    size += len(piece)
                    if size > LARGEST:
                        raise _unreadable(address, f"超过 {LARGEST} 字节", "更小的一页")
                    pieces.append(piece)
                return _Got(answer.status_code, answer.headers, b"".join(pieces), answer.request.url.path)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise RegistryUnavailable(
                "ONEROSTER_AWAY", f"学籍系统没有应答（{type(error).__name__}）。"
            ) from None


def _judge(answer: _Got) -> None:
    status = answer.status
    if status == 200:
        return
    found = f"HTTP {status} {_said(answer)}".strip()
    if status >= 500 or status in _AGAIN:
        away = RegistryUnavailable("ONEROSTER_AWAY", "学籍系统暂时不能应答。", found=found)
        away.wait = _asked_to_wait(answer.headers)
        raise away
    refused = RegistryRefused(
        "ONEROSTER_REFUSED",
        "学籍系统拒绝了请求。",
        where=answer.address,
        found=found,
        action="请与登记方核对接口文档第 8 节。",
    )
    refused.unknown = status == 404
    raise refused


def _asked_to_wait(headers: httpx.Headers) -> float:
    """Retry-After in seconds: it is a number of them or a moment, by the registry's clock if it tells."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    moment = _moment(text)
    return (moment - (_moment(headers.get("Date", "")) or clock.now())).total_seconds() if moment else 0.0


def _moment(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _said(answer: _Got) -> str:
    """The registry's own words: code and description of the standard's status, or of OAuth."""
    try:
        value = json_of(answer.body)
        minor = value.get("imsx_CodeMinor", {}).get("imsx_codeMinorField", [{}])[0]
        words = (minor.get("imsx_codeMinorFieldValue"), value.get("imsx_description"), value.get("error"))
    except (ValueError, AttributeError, IndexError, TypeError):
        return ""
    return " ".join(str(each)[:80] for each in words if each)


def _read(kind: str, answer: _Got, offset: int) -> Answered:
    try:
        value = json_of(answer.body)
    except ValueError:
        raise _unreadable(kind, "不是 JSON", "JSON 对象") from None
    records = value.get(kind) if isinstance(value, dict) else None
    if not isinstance(records, list):
        names = "、".join(sorted(value)[:5]) if isinstance(value, dict) else type(value).__name__
        raise _unreadable(kind, names or "空对象", f"列表 {kind}")
    if b"\\u" in answer.body or b"\xed" in answer.body:
        records = [_mended(record) for record in records]
    each = [record for record in records if isinstance(record, dict)]
    moments = [record.get("dateLastModified") for record in each]
    total = answer.headers.get("X-Total-Count", "")
    return Answered(
        json.dumps(records, ensure_ascii=False, separators=(",", ":")).encode(),
        [str(record.get("sourcedId") or f"#{offset + at}") for at, record in enumerate(each)],
        max((moment for moment in moments if isinstance(moment, str)), default=""),
        int(total) if total.isascii() and total.isdecimal() and len(total) < 12 else None,
        'rel="next"' in answer.headers.get("Link", ""),
    )


def _mended(value: Any) -> Any:
    """JSON can say characters that no database keeps, NUL and halves of a pair: they become U+FFFD, which the
    rules of names and numbers refuse by themselves.
    """
    if isinstance(value, str):
        return "".join("\ufffd" if each == "\x00" or "\ud800" <= each <= "\udfff" else each for each in value)
    if isinstance(value, list):
        return [_mended(each) for each in value]
    if isinstance(value, dict):
        return {_mended(name): _mended(each) for name, each in value.items()}
    return value


def _unreadable(where: str, found: str, expected: str) -> RegistryUnavailable:
    return RegistryUnavailable(
        "ONEROSTER_ANSWER", "学籍系统的应答读不懂。", where=where, found=found, expected=expected
    )


def _bad_card(path: Path, found: str) -> RegistryRefused:
    return RegistryRefused(
        "ONEROSTER_CARD",
        "学籍系统的参数文件不能用。",
        where=str(path),
        found=found,
        expected="base、token_url（https）、client_id、client_secret",
        action="请按 docs/interfaces/oneroster.md 第 8 节改正。",
    )
