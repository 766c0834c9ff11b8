"""A merchant's hand for the channels' simulators, written from docs/interfaces/channels.md."""

import atexit
import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID

from xueka.sandbox.channels.__main__ import House, parser
from xueka.sandbox.channels.keys import Keys

PEM = serialization.Encoding.PEM
NOTIFY = "http://127.0.0.1:9/notices"


@contextmanager
def channels(home: Path, *options: str) -> Iterator["Merchant"]:
    """The channels in this process, notices to be fetched, and a merchant introduced to them."""
    key, certificate = handed_over(home)
    lent_keys(home)
    house = House(parser().parse_args(["--home", str(home), "--notices", "pull", "--seed", "7", *options]))
    house.start()
    try:
        card = json.loads(house.card.read_text("utf-8"))
        with httpx.Client(base_url=card["base"], trust_env=False, timeout=20) as client:
            yield Merchant(house, card, key, f"{certificate.serial_number:X}", client)
    finally:
        house.stop()


def handed_over(home: Path) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    """The merchant's public halves below `home`/city; its key and certificate."""
    key, certificate = _merchant_keys()
    city = home / "city"
    city.mkdir(parents=True, exist_ok=True)
    for channel in ("wechat-merchant", "unionpay-merchant"):
        (city / f"{channel}.cert.pem").write_bytes(certificate.public_bytes(PEM))
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    (city / "alipay-app.pub.pem").write_bytes(key.public_key().public_bytes(PEM, spki))
    return key, certificate


def lent_keys(home: Path) -> None:
    """The channels' own keys, made once for all tests."""
    if not (home / "keys").exists():
        shutil.copytree(_channel_keys(), home / "keys")


@cache
def _merchant_keys() -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key = make_key()
    return key, self_signed(key)


@cache
def _channel_keys() -> Path:
    """Keys of the channels, made once for all tests of a process: making them takes seconds."""
    home = Path(tempfile.mkdtemp(prefix="xueka-channel-keys-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    Keys(home)
    return home / "keys"


def make_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def self_signed(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "merchant")])
    now = datetime.now(UTC)
    draft = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    return (
        draft.not_valid_before(now - timedelta(days=9999))
        .not_valid_after(now + timedelta(days=9))
        .sign(key, hashes.SHA256())
    )


class Merchant:
    def __init__(
        self, house: House, card: dict[str, Any], key: rsa.RSAPrivateKey, serial: str, client: httpx.Client
    ) -> None:
        self.house, self.card, self.key, self.serial, self.client = house, card, key, serial, client

    # ---- control

    def clock(self, now: str | None) -> None:
        self.sim("POST", "clock", {"now": now})

    def sim(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.card['control_token']}"}
        answer = self.client.request(method, f"/_sim/{path}", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json() if "json" in answer.headers["content-type"] else answer.content

    def pay(self, channel: str, number: str, **more: Any) -> dict[str, Any]:
        return self.sim("POST", "pay", {"channel": channel, "out_trade_no": number, **more})

    def notices(self, *, all: bool = False) -> list[dict[str, Any]]:
        found = self.sim("GET", f"notices?all={int(all)}")
        return [{**each, "body": base64.b64decode(each["body"])} for each in found]

    # ---- WeChat Pay

    def wechat(
        self, method: str, target: str, body: Any = None, *, by_key: bool = True, spoil: bool = False
    ) -> httpx.Response:
        content = json.dumps(body).encode() if body is not None else b""
        stamp = str(int(time.time()))
        text = f"{method}\n{target}\n{stamp}\nN0NCE\n".encode() + content + b"\n"
        signature = self.sign(text + (b"!" if spoil else b""))
        value = f'mchid="{self.card["wechat"]["mchid"]}",nonce_str="N0NCE",signature="{signature}",'
        value += f'timestamp="{stamp}",serial_no="{self.serial}"'
        headers = {"Authorization": f"WECHATPAY2-SHA256-RSA2048 {value}", "Content-Type": "application/json"}
        if by_key:
            headers["Wechatpay-Serial"] = self.card["wechat"]["public_key_id"]
        return self.client.request(method, target, content=content, headers=headers)

    def prepay(self, number: str, fen: int = 2000, **more: Any) -> httpx.Response:
        wechat = self.card["wechat"]
        body = {
            "appid": wechat["appid"],
            "mchid": wechat["mchid"],
            "description": "学生卡补卡, 含快递",
            "out_trade_no": number,
            "notify_url": NOTIFY,
            "amount": {"total": fen, "currency": "CNY"},
            "payer": {"openid": "oSomebody"},
            **more,
        }
        return self.wechat("POST", "/v3/pay/transactions/jsapi", body)

    def ask(self, number: str) -> dict[str, Any]:
        mchid = self.card["wechat"]["mchid"]
        return self.wechat("GET", f"/v3/pay/transactions/out-trade-no/{number}?mchid={mchid}").json()

    def refund(self, number: str, refund: str, fen: int, total: int = 2000, **more: Any) -> httpx.Response:
        body = {"out_trade_no": number, "out_refund_no": refund, "notify_url": NOTIFY, **more}
        amount = {"refund": fen, "total": total, "currency": "CNY"}
        return self.wechat("POST", "/v3/refund/domestic/refunds", {**body, "amount": amount})

    def cashier(self, prepay_id: str, back: str = "", *, spoil: bool = False) -> str:
        """The address that a page sends the payer to."""
        appid, package = self.card["wechat"]["appid"], f"prepay_id={prepay_id}"
        sign = self.sign(f"{appid}\n1700000000\nabc\n{package}{'x' if spoil else ''}\n".encode())
        query = {"appId": appid, "timeStamp": "1700000000", "nonceStr": "abc", "package": package}
        query |= {"signType": "RSA", "paySign": sign, "redirect_url": back}
        return f"{self.card['wechat']['cashier']}?{urlencode(query)}"

    def opened(self, notice: dict[str, Any]) -> dict[str, Any]:
        """A notice's resource, unsealed."""
        sealed = json.loads(notice["body"])["resource"]
        key = self.card["wechat"]["apiv3_key"].encode()
        text = AESGCM(key).decrypt(
            sealed["nonce"].encode(),
            base64.b64decode(sealed["ciphertext"]),
            sealed["associated_data"].encode(),
        )
        return json.loads(text)

    # ---- Alipay

    def alipay_form(self, method: str, content: dict[str, Any], **more: str) -> dict[str, str]:
        values = {
            "app_id": self.card["alipay"]["app_id"],
            "method": method,
            "charset": "utf-8",
            "sign_type": "RSA2",
            "timestamp": "2026-11-26 09:30:00",
            "version": "1.0",
            "format": "JSON",
            "biz_content": json.dumps(content, ensure_ascii=False),
            **more,
        }
        text = "&".join(f"{name}={values[name]}" for name in sorted(values) if values[name])
        return {**values, "sign": self.sign(text.encode())}

    def alipay(self, method: str, content: dict[str, Any]) -> dict[str, Any]:
        """The verified inner answer."""
        answer = self.client.post("/gateway.do", data=self.alipay_form(method, content)).text
        name = f"{method.replace('.', '_')}_response"
        inner = answer[len(f'{{"{name}":') : answer.rindex(',"sign":"')]
        signature = json.loads(answer)["sign"]
        assert openssl_fits(self.card["alipay"]["alipay_public_key"], inner.encode(), signature)
        return json.loads(inner)

    def wap(self, number: str, yuan: str = "20.00", **more: str) -> httpx.Response:
        content = {"out_trade_no": number, "total_amount": yuan, "subject": "学生卡补卡"}
        content["product_code"] = "QUICK_WAP_WAY"
        form = self.alipay_form("alipay.trade.wap.pay", content, notify_url=NOTIFY, **more)
        return self.client.get(f"/gateway.do?{urlencode(form)}")

    # ---- both

    def sign(self, text: bytes) -> str:
        return base64.b64encode(self.key.sign(text, padding.PKCS1v15(), hashes.SHA256())).decode()


def openssl_fits(public_key: str, text: bytes, signature: str) -> bool:
    """Whether `openssl dgst -sha256 -verify` says Verified OK."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "key.pem").write_text(public_key)
        (place / "sig").write_bytes(base64.b64decode(signature))
        command = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "sig"]
        done = subprocess.run(command, input=text, cwd=place, capture_output=True)
        return done.returncode == 0


def wechat_fits(card: dict[str, Any], headers: Any, body: bytes) -> bool:
    """Whether an answer or a notice is signed by the key that it names."""
    wechat = card["wechat"]
    if headers["Wechatpay-Serial"] == wechat["public_key_id"]:
        key = wechat["public_key"]
    elif headers["Wechatpay-Serial"] == wechat["platform_serial"]:
        found = x509.load_pem_x509_certificate(wechat["platform_certificate"].encode())
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        key = found.public_key().public_bytes(PEM, spki).decode()
    else:
        return False
    text = f"{headers['Wechatpay-Timestamp']}\n{headers['Wechatpay-Nonce']}\n".encode() + body + b"\n"
    return openssl_fits(key, text, headers["Wechatpay-Signature"])
