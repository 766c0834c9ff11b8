"""UnionPay's file download (docs/interfaces/channels.md §4): its statements. Nobody pays there yet."""

import base64
import binascii
import hashlib
import urllib.parse
import zlib
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NoReturn

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from xueka.contexts.payments.adapters import cards, downloads
from xueka.contexts.payments.models import ChannelAccount, Payment, Refund
from xueka.contexts.payments.ports import (
    Channel,
    ChannelRefused,
    ChannelUnavailable,
    Notice,
    NoticeRefused,
    Started,
    Told,
    ToldRefund,
)
from xueka.kernel import clock

_LIMIT = 64 * 1024 * 1024  # bytes of the file in an answer
_FIXED = {
    "version": "5.1.0",
    "encoding": "UTF-8",
    "signMethod": "01",
    "txnType": "76",
    "txnSubType": "01",
    "bizType": "000000",
    "accessType": "0",
    "fileType": "00",
}
_DONE, _NONE = "00", "98"


def connect(account: ChannelAccount) -> Channel:
    return UnionPay(cards.card())


class UnionPay:
    """One merchant; every answer's signature is checked by the certificate of its card."""

    def __init__(self, card: Mapping[str, Any]) -> None:
        self._card = card["unionpay"]

    def statement(self, day: date, kind: str) -> bytes | None:
        """`trade`: the zip with ZM and ZME."""
        asked = {
            **_FIXED,
            "merId": self._card["mer_id"],
            "settleDate": f"{day:%m%d}",
            "txnTime": f"{clock.local(clock.now()):%Y%m%d%H%M%S}",
            "certId": str(int(cards.serial("unionpay-merchant"), 16)),
        }
        answer = self._ask({**asked, "signature": _sign(asked)})
        code = answer.get("respCode", "")
        if code == _NONE:
            return None
        if code != _DONE:
            raise ChannelUnavailable(f"UNIONPAY_{code[:4]}", f"银联：{answer.get('respMsg', '')[:120]}")
        if answer.get("settleDate") != asked["settleDate"]:
            raise ChannelUnavailable("CHANNEL_ANSWER", "银联给的不是这一天的文件。")
        try:
            packed = base64.b64decode(answer["fileContent"], validate=True)
            opener = zlib.decompressobj()
            content = opener.decompress(packed, _LIMIT)
        except (KeyError, binascii.Error, ValueError, zlib.error):
            raise ChannelUnavailable("STATEMENT_CUT", "账单没有下载完整。") from None
        if not opener.eof:
            raise ChannelUnavailable("STATEMENT_CUT", "账单没有下载完整，或者太大。")
        return content

    def start(self, payment: Payment, openid: str, back: str) -> Started:
        _not_here()

    def ask(self, payment: Payment) -> Told:
        return Told("missing", word="没有开通银联在线缴费")

    def close(self, payment: Payment) -> Told:
        return self.ask(payment)

    def refund(self, refund: Refund) -> ToldRefund:
        _not_here()

    def ask_refund(self, refund: Refund) -> ToldRefund:
        return ToldRefund("missing")

    def read_notice(self, headers: Mapping[str, str], raw: bytes, received_at: datetime) -> Notice:
        raise NoticeRefused("NOTICE_CHANNEL", "没有开通银联在线缴费。")

    def answer(self, accepted: bool, raw: bytes) -> tuple[int, bytes, str]:
        return 401, b"", "text/plain"

    def _ask(self, values: Mapping[str, str]) -> dict[str, str]:
        body = urllib.parse.urlencode(values).encode()
        try:
            text = downloads.fetch(self._card["file_gateway"], body).decode("ascii")
            found = dict(urllib.parse.parse_qsl(text, keep_blank_values=True, strict_parsing=True))
        except (OSError, ValueError) as error:
            raise ChannelUnavailable("CHANNEL_SILENT", "银联没有回应。", found=type(error).__name__) from None
        certificate = x509.load_pem_x509_certificate(self._card["certificate"].encode())
        key = certificate.public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        try:
            signature = base64.b64decode(found.get("signature", ""), validate=True)
            key.verify(signature, _signed(found), padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, binascii.Error, ValueError):
            raise ChannelUnavailable("CHANNEL_ANSWER", "银联回答的签名不对。") from None
        return found


def _not_here() -> NoReturn:
    raise ChannelRefused("UNIONPAY_CLOSED", "没有开通银联在线缴费。")


def _signed(values: Mapping[str, str]) -> bytes:
    text = "&".join(f"{name}={values[name]}" for name in sorted(values) if name != "signature")
    return hashlib.sha256(text.encode()).hexdigest().encode()


def _sign(values: Mapping[str, str]) -> str:
    key = serialization.load_pem_private_key(cards.private_key("unionpay-merchant").encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return base64.b64encode(key.sign(_signed(values), padding.PKCS1v15(), hashes.SHA256())).decode()
