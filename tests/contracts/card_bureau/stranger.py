"""A production package read as a stranger reads it: by a ZIP reader and the OpenSSL command alone."""

import base64
import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

DISTID = "distid:1234567812345678"


class Opened(NamedTuple):
    manifest: dict[str, Any]
    key: bytes
    records: bytes
    photos: bytes | None


def openssl(*arguments: str, given: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=True).stdout


def digest(data: bytes) -> str:
    return openssl("dgst", "-sm3", "-r", given=data).split()[0].decode()


def open_package(package: Path, city_public: Path, bureau_private: Path, folder: Path) -> Opened:
    """Check and decrypt a package as docs/interfaces/card-bureau.md §3 and §7 say, with files in `folder`."""
    with zipfile.ZipFile(package) as archive:
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}
        names = archive.namelist()
        archive.extractall(folder)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    sealed = [member["name"] for member in manifest["members"]]
    assert names == ["manifest.json", "manifest.sig", *sealed]
    signature = ["-signature", str(folder / "manifest.sig"), str(folder / "manifest.json")]
    said = openssl("dgst", "-sm3", "-sigopt", DISTID, "-verify", str(city_public), *signature)
    assert said == b"Verified OK\n"

    wrapped = base64.b64decode(manifest["content_key"]["ciphertext"], validate=True)
    key = openssl("pkeyutl", "-decrypt", "-inkey", str(bureau_private), given=wrapped)
    assert len(key) == 16
    plain = {}
    for member in manifest["members"]:
        data = (folder / member["name"]).read_bytes()
        assert (len(data), digest(data)) == (member["size"], member["sm3"])
        counter = ["-K", key.hex(), "-iv", member["nonce"] + "00000002"]
        plain[member["name"]] = openssl("enc", "-d", "-sm4-ctr", *counter, given=data[:-16])
    assert digest(plain["records.sm4"]) == manifest["totals"]["records_sm3"]
    return Opened(manifest, key, plain["records.sm4"], plain.get("photos.sm4"))
