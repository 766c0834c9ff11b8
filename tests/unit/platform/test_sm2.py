"""SM2 against a second library (gmalg) and the OpenSSL command, on the keys and values that trip others."""

import ctypes
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gmalg
import pytest

from tests.support.size import dial
from xueka.kernel.errors import BadInput, XuekaError
from xueka.platform.crypto import libcrypto, sm2, sm3
from xueka.platform.crypto.sm2 import SPKI_SIZE, USER_ID, PrivateKey, PublicKey

AWKWARD_FIRST_BYTES = (0x00, 0x04, 0x0F, 0x40)
PARTS = dial(1, 8)  # the second library is slow: the full dial goes to all cores


def openssl(*arguments: str, given: bytes | None = None, folder: Path | None = None) -> bytes:
    done = subprocess.run(["openssl", *arguments], input=given, cwd=folder, capture_output=True, check=True)
    return done.stdout


def point(key: PublicKey) -> bytes:
    return key.der[-64:]


def scalar(key: PrivateKey) -> bytes:
    """The private number, read from the PKCS#8 by the OpenSSL command."""
    text = openssl("pkey", "-noout", "-text", given=key.to_pem()).decode()
    digits = text.split("priv:")[1].split("pub:")[0]
    return bytes.fromhex("".join(digits.replace(":", "").split())).rjust(32, b"\0")[-32:]


def stranger(key: PrivateKey) -> gmalg.SM2:
    return gmalg.SM2(scalar(key), USER_ID, b"\x04" + point(key.public))


def integers(der: bytes) -> tuple[bytes, bytes, bytes]:
    """The first two INTEGERs (32 bytes each) of a DER SEQUENCE, and what follows them."""
    rest = der[2:] if der[1] < 0x80 else der[2 + (der[1] & 0x7F) :]
    found = []
    for _ in range(2):
        assert rest[0] == 0x02
        found.append(rest[2 : 2 + rest[1]].lstrip(b"\0").rjust(32, b"\0"))
        rest = rest[2 + rest[1] :]
    return found[0], found[1], rest


def der_integer(number: bytes) -> bytes:
    body = number.lstrip(b"\0") or b"\0"
    body = b"\0" + body if body[0] & 0x80 else body
    return bytes([0x02, len(body)]) + body


def der_sequence(content: bytes) -> bytes:
    size = len(content)
    return b"\x30" + (bytes([size]) if size < 0x80 else bytes([0x81, size])) + content


def keys(count: int) -> Iterator[PrivateKey]:
    """Random keys, a third of them with a public x that begins with a byte other libraries stumble over."""
    for number in range(count):
        key = PrivateKey.generate()
        while number % 3 == 0 and point(key.public)[0] not in AWKWARD_FIRST_BYTES:
            key = PrivateKey.generate()
        yield key


@pytest.mark.parametrize("part", range(PARTS))
def test_two_libraries_agree(part: int) -> None:
    lengths = set()
    for number, key in enumerate(keys(dial(18, 10_000 // PARTS)), start=part):
        other = stranger(key)
        message = bytes(range(256)) * (number % 3) + str(number).encode()

        r, s, rest = integers(key.sign(message))
        assert rest == b""
        assert other.verify(message, r, s)
        assert key.public.verify(der_sequence(b"".join(map(der_integer, other.sign(message)))), message)

        secret = (str(number) * 16).encode()[: 1 + number % 32]
        cipher = key.public.encrypt(secret)
        lengths.add(len(cipher) - len(secret))
        x, y, rest = integers(cipher)
        hashed, body = rest[2:34], rest[36:]
        assert other.decrypt(b"\x04" + x + y + hashed + body) == secret
        raw = other.encrypt(secret)
        x, y, hashed, body = raw[1:33], raw[33:65], raw[65:97], raw[97:]
        content = der_integer(x) + der_integer(y) + b"\x04\x20" + hashed + bytes([0x04, len(body)]) + body
        assert key.decrypt(der_sequence(content)) == secret
    assert len(lengths) > 1, "short coordinates must have occurred"


def test_a_key_stream_of_zeros_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Early OpenSSL 3.0 lets one single byte in 256 through in clear."""
    key = PrivateKey.generate()
    good = key.public.encrypt(b"\x07")
    answers = iter([good[:-1] + b"\x07", good])
    monkeypatch.setattr(sm2, "_crypt", lambda *_: next(answers))
    assert key.public.encrypt(b"\x07") == good
    monkeypatch.undo()
    ciphers = [key.public.encrypt(b"\x07") for _ in range(dial(100, 10_000))]
    assert not [cipher for cipher in ciphers if cipher.endswith(b"\x07")]
    assert {key.decrypt(cipher) for cipher in ciphers} == {b"\x07"}


def test_the_openssl_command_agrees(tmp_path: Path) -> None:
    def run(*arguments: str) -> bytes:
        return openssl(*arguments, folder=tmp_path)

    key = PrivateKey.generate()
    (tmp_path / "key").write_bytes(key.to_pem())
    (tmp_path / "pub").write_bytes(key.public.to_pem())
    (tmp_path / "data").write_bytes(b"manifest")
    (tmp_path / "sig").write_bytes(key.sign(b"manifest"))
    (tmp_path / "cipher").write_bytes(key.public.encrypt(b"k" * 16))
    user = f"distid:{USER_ID.decode()}"
    assert b"Verified OK" in run(
        "dgst", "-sm3", "-sigopt", user, "-verify", "pub", "-signature", "sig", "data"
    )
    assert run("pkeyutl", "-decrypt", "-inkey", "key", "-in", "cipher") == b"k" * 16
    run("dgst", "-sm3", "-sigopt", user, "-sign", "key", "-out", "theirs", "data")
    assert key.public.verify((tmp_path / "theirs").read_bytes(), b"manifest")
    run("pkeyutl", "-encrypt", "-pubin", "-inkey", "pub", "-in", "data", "-out", "theirs")
    assert key.decrypt((tmp_path / "theirs").read_bytes()) == b"manifest"
    assert run("pkey", "-pubin", "-in", "pub", "-outform", "DER") == key.public.der
    assert run("dgst", "-sm3", "-r", "data").split()[0].decode() == sm3.hexdigest(b"manifest")


def test_a_sealed_key_file_opens_with_its_passphrase_only() -> None:
    key = PrivateKey.generate()
    sealed = key.to_pem("口令 passphrase")
    assert sealed.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert PrivateKey.from_pem(sealed, "口令 passphrase").public == key.public
    assert PrivateKey.from_pem(key.to_pem()).public == key.public
    for wrong in (None, "", "口令"):
        with pytest.raises(BadInput) as refusal:
            PrivateKey.from_pem(sealed, wrong)
        assert refusal.value.code == "SM2_KEY"
    for unusable in ("a\0b", "长" * 400):
        with pytest.raises(BadInput, match="口令"):
            key.to_pem(unusable)
    shown = openssl("pkey", "-passin", "pass:口令 passphrase", "-pubout", given=sealed)
    assert shown == key.public.to_pem()


def test_signatures_and_ciphertexts_that_were_touched_are_refused() -> None:
    key, other = PrivateKey.generate(), PrivateKey.generate()
    signature, cipher = key.sign(b"data"), key.public.encrypt(b"secret")
    assert key.public.verify(signature, b"data")
    assert not key.public.verify(signature, b"date")
    assert not other.public.verify(signature, b"data")
    for position in range(len(signature)):
        touched = bytearray(signature)
        touched[position] ^= 1
        assert not key.public.verify(bytes(touched), b"data")
    for broken in (b"", signature[:-1], signature + b"\0"):
        assert not key.public.verify(broken, b"data")
    for position in range(len(cipher)):
        touched = bytearray(cipher)
        touched[position] ^= 1
        with pytest.raises(BadInput, match="无法解密"):
            key.decrypt(bytes(touched))
    for broken in (b"", cipher[:-1]):
        with pytest.raises(BadInput) as refusal:
            key.decrypt(broken)
        assert refusal.value.code == "SM2_DECRYPT"
    with pytest.raises(BadInput):
        other.decrypt(cipher)
    with pytest.raises(ValueError, match="at least one byte"):
        key.public.encrypt(b"")


def foreign_keys() -> Iterator[tuple[bytes, bytes]]:
    """Pairs (private PEM, public PEM) that are keys, but not ours."""
    for algorithm in (
        ("EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
        ("ED25519",),
        ("EC", "-pkeyopt", "ec_paramgen_curve:SM2", "-pkeyopt", "ec_param_enc:explicit"),
    ):
        private = openssl("genpkey", "-algorithm", *algorithm)
        yield private, openssl("pkey", "-pubout", given=private)


def test_only_sound_sm2_keys_are_read() -> None:
    for private, public in foreign_keys():
        with pytest.raises(BadInput):
            PublicKey.from_pem(public)
        with pytest.raises(BadInput):
            PrivateKey.from_pem(private)
    good = PrivateKey.generate().public
    assert PublicKey.from_der(good.der) == good
    assert len(good.der) == SPKI_SIZE
    off_curve = good.der[:-1] + bytes([good.der[-1] ^ 1])
    for der in (b"", good.der[:-1], good.der + b"\0", off_curve):
        with pytest.raises(BadInput) as refusal:
            PublicKey.from_der(der)
        assert refusal.value.code == "SM2_KEY"
    for pem in (b"", b"junk", good.to_pem()):
        with pytest.raises(BadInput):
            PrivateKey.from_pem(pem)
    assert good != object()
    assert len({good, PublicKey.from_pem(good.to_pem())}) == 1


def test_a_point_in_compressed_form_is_refused() -> None:
    good = PrivateKey.generate().public.der
    sign = bytes([0x02 + good[-1] % 2])
    compressed = b"\x30\x39" + good[2:23] + b"\x03\x22\x00" + sign + good[-64:-32]
    assert b"SM2" in openssl("pkey", "-pubin", "-inform", "DER", "-noout", "-text", given=compressed)
    with pytest.raises(BadInput, match="非压缩"):
        PublicKey.from_der(compressed)


def test_one_key_serves_many_threads() -> None:
    key = PrivateKey.generate()

    def work(number: int) -> bool:
        data = str(number).encode()
        return key.public.verify(key.sign(data), data) and key.decrypt(key.public.encrypt(data)) == data

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(dial(200, 10_000))))


def test_memory_does_not_grow_with_use() -> None:
    def resident_pages() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1])

    key = PrivateKey.generate()

    def use(times: int) -> None:
        for _ in range(times):
            other = PrivateKey.from_pem(key.to_pem())
            other.public.verify(other.sign(b"data"), b"data")
            other.decrypt(other.public.encrypt(b"secret"))
            for broken in (lambda: PublicKey.from_pem(b"junk"), lambda: key.decrypt(b"junk")):
                with pytest.raises(BadInput):
                    broken()

    use(200)
    before = resident_pages()
    use(dial(500, 10_000))
    assert (resident_pages() - before) * 4 < 384, "memory kept"


class OldLibrary:
    """Stands in for OpenSSL 1.1.1."""

    class OpenSSL_version_num:
        restype = None

        def __new__(cls) -> int:
            return 0x1010_1000


def test_a_missing_or_old_library_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> ctypes.CDLL:
        raise OSError(name)

    libcrypto.library.cache_clear()
    try:
        monkeypatch.setattr(ctypes, "CDLL", nothing)
        with pytest.raises(XuekaError) as refusal:
            PrivateKey.generate()
        assert refusal.value.code == "CRYPTO_LIBRARY"
        assert "libssl3" in str(refusal.value.action)
        monkeypatch.setattr(ctypes, "CDLL", lambda name: OldLibrary)
        with pytest.raises(XuekaError) as refusal:
            PrivateKey.generate()
        assert (refusal.value.code, refusal.value.found) == ("CRYPTO_LIBRARY", "1.1")
        monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
        with pytest.raises(XuekaError, match="过低"):
            PrivateKey.generate()
    finally:
        libcrypto.library.cache_clear()


def test_a_library_without_sm2_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    lib = ctypes.CDLL("libcrypto.so.3")

    class Without:
        def __getattr__(self, name: str) -> object:
            return (lambda *_: None) if name == "EVP_PKEY_CTX_new_from_name" else getattr(lib, name)

    with pytest.raises(XuekaError, match="SM2") as refusal:
        libcrypto.typed(Without())
    assert refusal.value.code == "CRYPTO_LIBRARY"


def test_sm3_standard_vectors() -> None:
    """GB/T 32905-2016, annex A."""
    assert sm3.hexdigest(b"abc") == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert sm3.hexdigest(b"abcd" * 16) == "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"


def test_a_signature_in_pieces_is_that_of_the_whole() -> None:
    key = PrivateKey.generate()
    with key.signing() as signature:
        for piece in (b"a\0", b"", b"bc" * 5000):
            signature.update(piece)
        made = signature.finish()
    whole = b"a\0" + b"bc" * 5000
    assert key.public.verify(made, whole)
    assert not key.public.verify(made, whole[:-1])
