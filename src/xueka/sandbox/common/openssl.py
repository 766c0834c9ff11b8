"""Cryptography of the counterparts by the OpenSSL command, as card-bureau.md §3 shows it."""

import base64
import shutil
import subprocess
import tempfile
from pathlib import Path

DISTID = "distid:1234567812345678"
TAG = 16


class OpenSSLError(Exception):
    """The command refused: a wrong signature, a key that does not fit, or no command at all."""


def run(*arguments: str | Path, data: bytes = b"") -> bytes:
    """Run `openssl …` with `data` on its standard input; returns its standard output."""
    command = shutil.which("openssl")
    if command is None:
        raise OpenSSLError("the openssl command is missing: install the package `openssl`")
    done = subprocess.run([command, *map(str, arguments)], input=data, capture_output=True, check=False)
    if done.returncode != 0:
        raise OpenSSLError(done.stderr.decode(errors="replace").strip() or f"exit {done.returncode}")
    return done.stdout


def make_key(path: Path) -> None:
    """A new SM2 key pair in `path` (mode 0600), its public half beside it as `.pub.pem`."""
    draft = path.with_suffix(".part")
    draft.touch(mode=0o600)
    run("genpkey", "-algorithm", "SM2", "-out", draft)
    public(path).write_bytes(run("pkey", "-in", draft, "-pubout"))
    draft.rename(path)


def public(path: Path) -> Path:
    return path.with_suffix(".pub.pem")


def fingerprint(public_key: Path) -> str:
    """SM3 of the SubjectPublicKeyInfo, 64 hexadecimal digits (§2)."""
    return sm3(run("pkey", "-pubin", "-in", public_key, "-outform", "DER"))


def sm3(content: bytes) -> str:
    return run("dgst", "-sm3", "-r", data=content).decode().split()[0]


def verify(public_key: Path, content: bytes, signature: bytes) -> bool:
    """Whether the DER signature fits these exact bytes (§3)."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(signature)
        file.flush()
        try:
            run(
                "dgst",
                "-sm3",
                "-sigopt",
                DISTID,
                "-verify",
                public_key,
                "-signature",
                file.name,
                data=content,
            )
        except OpenSSLError:
            return False
    return True


def sign(private_key: Path, content: bytes) -> bytes:
    """DER signature."""
    return run("dgst", "-sm3", "-sigopt", DISTID, "-sign", private_key, data=content)


def unwrap(private_key: Path, wrapped: str) -> bytes:
    """The content key out of base64 SM2Cipher."""
    return run("pkeyutl", "-decrypt", "-inkey", private_key, data=base64.b64decode(wrapped, validate=True))


def decrypt(key: bytes, nonce: str, cipher: bytes) -> bytes:
    """SM4-GCM content by counter mode; its integrity is proved by the signed digest (§3, Without SM4-GCM)."""
    return run("enc", "-d", "-sm4-ctr", "-K", key.hex(), "-iv", f"{nonce}00000002", data=cipher[:-TAG])
