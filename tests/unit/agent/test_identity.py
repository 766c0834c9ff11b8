"""The key pair of a counter PC and the signed request of the interface's example."""

import base64
import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from xueka.agent.identity import KEY_FILE, STATE_FILE, Identity


def test_example_of_the_interface(tmp_path: Path) -> None:
    identity = Identity(tmp_path, Ed25519PrivateKey.from_private_bytes(b"\x01" * 32), "", "a-7f3c09d2e1b4")
    assert identity.public_key == "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w="
    body = b'{"version":"0.1.0","readers":[],"printers":[]}'
    nonce = "000102030405060708090a0b0c0d0e0f"
    assert identity.headers("/api/agent/v1/poll", body, 1760000000, nonce) == {
        "Xueka-Agent": "a-7f3c09d2e1b4",
        "Xueka-Timestamp": "1760000000",
        "Xueka-Nonce": nonce,
        "Xueka-Signature": "n3TRPMrubXCOdY9EU5grb6UVFPI2oIpP1/ndwfYAPASZz4Snj2jmvZdG"
        "kPxMD+e7RlzDequYGaZaBWAukTZfCA==",
    }


def test_key_is_made_once_and_for_this_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    first = Identity.open(folder)
    first.enrolled("https://xueka.example", "a-1")
    again = Identity.open(folder)
    assert again.public_key == first.public_key
    assert (again.server, again.agent) == ("https://xueka.example", "a-1")
    assert len(base64.b64decode(again.public_key)) == 32
    for name in (KEY_FILE, STATE_FILE):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_every_request_has_a_nonce_of_its_own(tmp_path: Path) -> None:
    identity = Identity.open(tmp_path)
    nonces = {identity.headers("/p", b"", 1)["Xueka-Nonce"] for _ in range(100)}
    assert len(nonces) == 100
