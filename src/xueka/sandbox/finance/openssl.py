"""SM2 and SM3 of the finance office, by the OpenSSL command."""

import base64
import shutil
import subprocess
from pathlib import Path

DISTID = "distid:1234567812345678"


class OpenSSLError(Exception):
    """The command refused, or there is none."""


def run(*arguments: str | Path, data: bytes = b"") -> bytes:
    command = shutil.which("openssl")
    if command is None:
        raise OpenSSLError("the openssl command is missing: install the package `openssl`")
    done = subprocess.run([command, *map(str, arguments)], input=data, capture_output=True, check=False)
    if done.returncode != 0:
        raise OpenSSLError(done.stderr.decode(errors="replace").strip() or f"exit {done.returncode}")
    return done.stdout


def make_key(path: Path) -> None:
    """A new SM2 key pair, mode 0600, its public half beside it as `.pub.pem`."""
    draft = path.with_suffix(".part")
    draft.touch(mode=0o600)
    run("genpkey", "-algorithm", "SM2", "-out", draft)
    path.with_suffix(".pub.pem").write_bytes(run("pkey", "-in", draft, "-pubout"))
    draft.rename(path)


def sign(key: Path, content: bytes) -> str:
    """Base64 DER."""
    return base64.b64encode(run("dgst", "-sm3", "-sigopt", DISTID, "-sign", key, data=content)).decode(
        "ascii"
    )


def sm3(content: bytes) -> str:
    return run("dgst", "-sm3", "-r", data=content).decode("ascii").split()[0]
