"""Sign-on in the form of OpenID Connect: codes that are used once, tokens signed by our own key (§2)."""

import base64
import hashlib
import hmac
import json
import secrets
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from xueka.sandbox.common.dial import Clock, Dial
from xueka.sandbox.common.store import Store

SCHEMA = """
create table if not exists citizen (
    subject text primary key, phone text not null, level text not null, openid text not null,
    agreed text
);
create table if not exists code (
    code text primary key, subject text not null, redirect_uri text not null, challenge text not null,
    nonce text not null, expires text not null, used integer not null default 0
);
"""
LIFETIME, TOKEN = timedelta(seconds=60), timedelta(minutes=5)
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
LIES = ("forged", "expired", "other_nonce", "other_audience", "other_issuer", "unverified", "drift")


class Denied(Exception):
    """What the token endpoint refuses, by OAuth's word."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status, self.error = status, error


class Provider:
    def __init__(self, store: Store, clock: Clock, dial: Dial, keys: Path, client_id: str) -> None:
        self._store, self._clock, self._dial, self._client = store, clock, dial, client_id
        self._key, self._stranger = _key(keys / "signing.pem"), _key(keys / "stranger.pem")
        self._salt = kept(keys / "salt")

    # ---- citizens

    def citizen(self, subject: str) -> sqlite3.Row | None:
        return self._store.one("select * from citizen where subject = ?", subject)

    def come(self, phone: str, level: str) -> str:
        """The subject of who has this phone; made at the first time."""
        subject = self._opaque("sub", phone)
        if self.citizen(subject) is None:
            openid = f"o{self._opaque('openid', phone)[:27]}"
            self._store.insert("citizen", subject=subject, phone=phone, level=level, openid=openid)
        self._store.run("update citizen set level = ? where subject = ?", level, subject)
        return subject

    def agree(self, subject: str) -> None:
        now = self._clock.now().isoformat()
        self._store.run("update citizen set agreed = ? where subject = ?", now, subject)

    # ---- codes and tokens

    def code(self, subject: str, redirect_uri: str, challenge: str, nonce: str) -> str:
        made = secrets.token_urlsafe(24)
        expires = (self._clock.now() + LIFETIME).isoformat()
        self._store.insert(
            "code", code=made, subject=subject, redirect_uri=redirect_uri, challenge=challenge,
            nonce=nonce, expires=expires,
        )  # fmt: skip
        return made

    def token(self, issuer: str, form: dict[str, str]) -> dict[str, Any]:
        """Raises Denied. The code is used up by whatever comes of it."""
        if form.get("grant_type") != "authorization_code":
            raise Denied(400, "invalid_request")
        with self._store.work():
            found = self._store.one("select * from code where code = ?", form.get("code", ""))
            if found is None or not self._store.run(
                "update code set used = 1 where code = ? and used = 0", found["code"]
            ):
                raise Denied(400, "invalid_grant")
        fits = hmac.compare_digest(challenge_of(form.get("code_verifier", "")), found["challenge"])
        late = self._clock.now() > datetime.fromisoformat(found["expires"])
        if not fits or late or form.get("redirect_uri") != found["redirect_uri"]:
            raise Denied(400, "invalid_grant")
        return {
            "access_token": secrets.token_urlsafe(24),
            "token_type": "Bearer",
            "expires_in": 60,
            "id_token": self._id_token(issuer, found),
        }

    def logout_token(self, issuer: str, subject: str) -> str:
        """§4: a citizen has left."""
        now = int(self._clock.now().timestamp())
        claims: dict[str, Any] = {
            "iss": issuer,
            "sub": subject,
            "aud": self._client,
            "iat": now,
            "exp": now + 120,
            "jti": secrets.token_urlsafe(16),
            "events": {LOGOUT: {}},
        }
        return self._signed({"alg": "RS256", "typ": "logout+jwt", "kid": self._kid()}, claims, self._key)

    def keys(self) -> dict[str, Any]:
        numbers = self._key.public_key().public_numbers()
        return {
            "keys": [
                {
                    "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self._kid(),
                    "n": _number(numbers.n), "e": _number(numbers.e),
                }
            ]
        }  # fmt: skip

    def _id_token(self, issuer: str, code: sqlite3.Row) -> str:
        citizen = self.citizen(code["subject"])
        assert citizen is not None
        now = int(self._clock.now().timestamp())
        claims: dict[str, Any] = {
            "iss": issuer,
            "sub": citizen["subject"],
            "aud": self._client,
            "iat": now,
            "exp": now + int(TOKEN.total_seconds()),
            "nonce": code["nonce"],
            "acr": citizen["level"],
            "phone_number": citizen["phone"],
            "phone_number_verified": True,
            "wechat_openid": citizen["openid"],
        }
        told = {name: self._dial.strikes(name, code["code"]) for name in LIES}
        for name in LIES:
            if told[name]:
                self._dial.record(name, "jingtong", citizen["subject"])
        if told["expired"]:
            claims |= {"iat": now - 3600, "exp": now - 3300}
        if told["other_nonce"]:
            claims["nonce"] = secrets.token_urlsafe(16)
        if told["other_audience"]:
            claims["aud"] = "somebody-else"
        if told["other_issuer"]:
            claims["iss"] = f"{issuer}/other"
        if told["unverified"]:
            claims["phone_number_verified"] = False
        if told["drift"]:
            claims["mobile"] = claims.pop("phone_number")
        head = {"alg": "RS256", "typ": "JWT", "kid": self._kid()}
        return self._signed(head, claims, self._stranger if told["forged"] else self._key)

    def _signed(self, head: dict[str, str], claims: dict[str, Any], key: RSAPrivateKey) -> str:
        text = f"{_part(head)}.{_part(claims)}"
        return f"{text}.{_coded(key.sign(text.encode('ascii'), PKCS1v15(), hashes.SHA256()))}"

    def _kid(self) -> str:
        numbers = self._key.public_key().public_numbers()
        return hashlib.sha256(_number(numbers.n).encode()).hexdigest()[:16]

    def _opaque(self, kind: str, phone: str) -> str:
        made = hmac.new(self._salt.encode(), f"{kind}/{self._client}/{phone}".encode(), hashlib.sha256)
        return made.hexdigest()[:40]


def challenge_of(verifier: str) -> str:
    """RFC 7636, S256."""
    return _coded(hashlib.sha256(verifier.encode("ascii", "replace")).digest())


def kept(path: Path) -> str:
    """A secret that is made once."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(32), "ascii")
    return path.read_text("ascii")


def _key(path: Path) -> RSAPrivateKey:
    if not path.exists():
        made = generate_private_key(public_exponent=65537, key_size=2048)
        part = path.with_suffix(".part")
        part.touch(mode=0o600)
        form = serialization.PrivateFormat.PKCS8
        part.write_bytes(made.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
        part.replace(path)
    found = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(found, RSAPrivateKey)
    return found


def _part(value: dict[str, Any]) -> str:
    return _coded(json.dumps(value, separators=(",", ":")).encode())


def _number(value: int) -> str:
    return _coded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _coded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")
