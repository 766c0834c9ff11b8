"""A hand on the virtual card: commands as hex, answers as hex, and the maths of a terminal."""

from xueka.sandbox.card import ciphers
from xueka.sandbox.card.system import Blank, System

FF = "ff" * 16
CONTROL = "00112233445566778899aabbccddeeff"
LINE = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
PIN = "123456"


class Hand:
    def __init__(self, **blank: object) -> None:
        self.system = System(Blank.read({"uid": "a1000000", **blank}).make())

    @property
    def kind(self) -> ciphers.Kind:
        return self.system.card.algorithm

    def send(self, apdu: str) -> tuple[str, str]:
        """Data and status word."""
        answer = self.system.process(bytes.fromhex(apdu)).hex()
        return answer[:-4], answer[-4:]

    def word(self, apdu: str) -> str:
        return self.send(apdu)[1]

    def must(self, apdu: str) -> str:
        data, word = self.send(apdu)
        assert word == "9000", f"{apdu}: {word}"
        return data

    def challenge(self) -> bytes:
        return bytes.fromhex(self.must("0084000008"))

    def authenticate(self, key: str, number: int = 0) -> str:
        """EXTERNAL AUTHENTICATE; the status word."""
        value = bytes.fromhex(key)
        kind: ciphers.Kind = "des" if len(value) == 8 else self.kind
        size = ciphers.block(kind)
        code = ciphers.encipher(kind, value, self.challenge().ljust(size, b"\0"))
        return self.word(f"008200{number:02x}{size:02x}{code.hex()}")

    def protected(self, head: str, key: str, data: str = "", encipher: bool = False, le: str = "") -> str:
        """The command `head` (CLA INS P1 P2) with its data under the key."""
        value, body = bytes.fromhex(key), bytes.fromhex(data)
        kind: ciphers.Kind = "des" if len(value) == 8 else self.kind
        if encipher:
            body = ciphers.encipher(kind, value, ciphers.pad(bytes([len(body)]) + body, kind))
        start = bytes.fromhex(head) + bytes([len(body) + 4])
        code = ciphers.mac(kind, value, self.challenge(), start + body)
        return (start + body + code).hex() + le

    def application(self) -> None:
        """An application ADF1 of 1 KiB with its keys and five files, its control key in the session."""
        assert self.authenticate(FF) == "9000"
        self.must("80e0adf10f380400f0f015ffffa0000000010203")
        self.must("80e00000073f012001f0ffff")
        self.must(f"80d4010015 39f0f10f33 {CONTROL}")
        self.must(f"80d4010015 36f0f1ff33 {LINE}")
        self.must(f"80d4010015 30f0f10100 {CONTROL}")
        self.must(f"80d4010008 3af0ef0133 {PIN}")
        self.must("80e0001507280020f0f0ffff")  # binary, free
        self.must("80e0001607a80020f0f0ff7f")  # binary, writes authenticated, reads by line protection
        self.must("80e0001707e80020f0f0ffff")  # binary, writes enciphered and authenticated
        self.must("80e00018072a0304f0f0ffff")  # three records of four bytes
        self.must("80e00019072e0304f0f0ffff")  # cyclic
        self.must("80e0001a072c0010f0f0ffff")  # variable, sixteen bytes
