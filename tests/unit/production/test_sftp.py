"""The adapter against a real SSH server in another thread."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import pytest

from xueka.contexts.production.adapters import partner_keys, sftp
from xueka.contexts.production.models import Partner
from xueka.contexts.production.ports import BureauUnavailable


@dataclass
class DropBox:
    folder: Path
    port: int
    host_key: str
    accepted: list[str]

    def partner(self, **changes: object) -> Partner:
        values = {"host": "127.0.0.1", "port": self.port, "username": "city", "host_key": self.host_key}
        return Partner(code="bureau", **{**values, **changes})


@pytest.fixture
def drop_box(tmp_path: Path) -> Iterator[DropBox]:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    box = DropBox(tmp_path, 0, host_key.export_public_key().decode(), [])

    class Door(asyncssh.SSHServer):
        def public_key_auth_supported(self) -> bool:
            return True

        def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
            return key.export_public_key().split()[:2] in [line.encode().split()[:2] for line in box.accepted]

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.create_server(
            Door,
            "127.0.0.1",
            0,
            server_host_keys=[host_key],
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(tmp_path)),
        )

    server = asyncio.run_coroutine_threadsafe(listen(), loop).result()
    box.port = server.sockets[0].getsockname()[1]
    box.accepted.append(partner_keys.public_keys().ssh_key)
    yield box

    async def close() -> None:
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0)

    asyncio.run_coroutine_threadsafe(close(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_upload_replaces_and_leaves_no_part(drop_box: DropBox) -> None:
    with sftp.connect(drop_box.partner()) as gateway:
        gateway.upload("XKP_B_1.zip", b"first, longer")
        gateway.upload("XKP_B_1.zip", b"second")
    assert [path.name for path in (drop_box.folder / "in").iterdir()] == ["XKP_B_1.zip"]
    assert (drop_box.folder / "in" / "XKP_B_1.zip").read_bytes() == b"second"


def test_upload_without_the_rename_extension(drop_box: DropBox, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unsupported(*_: object) -> None:
        raise asyncssh.SFTPOpUnsupported("no")

    monkeypatch.setattr(asyncssh.SFTPClient, "posix_rename", unsupported)
    with sftp.connect(drop_box.partner()) as gateway:
        gateway.upload("XKP_B_1.zip", b"first")
        gateway.upload("XKP_B_1.zip", b"second")
    assert (drop_box.folder / "in" / "XKP_B_1.zip").read_bytes() == b"second"


def test_out_is_listed_without_parts_and_folders_and_read_whole(drop_box: DropBox) -> None:
    out = drop_box.folder / "out"
    content = bytes(range(256)) * 4000
    (out / "XKR_B_1.zip").write_bytes(content)
    (out / "XKA_B_1.json").write_bytes(b"{}")
    (out / "XKR_B_2.zip.part").write_bytes(b"half")
    (out / "folder").mkdir()
    with sftp.connect(drop_box.partner()) as gateway:
        files = gateway.list_out()
        assert [(file.name, file.size) for file in files] == [
            ("XKA_B_1.json", 2),
            ("XKR_B_1.zip", len(content)),
        ]
        assert files[1].modified == int((out / "XKR_B_1.zip").stat().st_mtime)
        assert gateway.download("XKR_B_1.zip") == content
    assert (out / "XKR_B_1.zip").exists()


def test_a_changed_host_key_ends_the_connection(drop_box: DropBox) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    with (
        pytest.raises(BureauUnavailable) as refused,
        sftp.connect(drop_box.partner(host_key=other)) as gateway,
    ):
        gateway.upload("XKP_B_1.zip", b"secret")
    assert refused.value.code == "BUREAU_HOST_KEY"
    assert list((drop_box.folder / "in").iterdir()) == []


def test_an_unknown_city_key_is_told_as_such(drop_box: DropBox) -> None:
    drop_box.accepted.clear()
    with pytest.raises(BureauUnavailable) as refused, sftp.connect(drop_box.partner()):
        pass
    assert refused.value.code == "BUREAU_LOGIN"


def test_nobody_listens(drop_box: DropBox) -> None:
    with pytest.raises(BureauUnavailable) as refused, sftp.connect(drop_box.partner(port=1)):
        pass
    assert refused.value.code == "BUREAU_UNREACHABLE"
    assert refused.value.where == "127.0.0.1:1"


def test_a_server_that_says_nothing_does_not_hold_us(
    drop_box: DropBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sftp, "TRANSFER_LIMIT", 0.05)

    async def never(*_: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(sftp.SftpGateway, "_replace", never)
    with sftp.connect(drop_box.partner()) as gateway, pytest.raises(BureauUnavailable) as refused:
        gateway.upload("XKP_B_1.zip", b"x")
    assert refused.value.code == "BUREAU_UNREACHABLE"


def test_a_refused_operation_names_its_code(drop_box: DropBox) -> None:
    (drop_box.folder / "in").rmdir()
    with sftp.connect(drop_box.partner()) as gateway, pytest.raises(BureauUnavailable) as refused:
        gateway.upload("XKP_B_1.zip", b"x")
    assert refused.value.code == "BUREAU_TRANSFER"
    with sftp.connect(drop_box.partner()) as gateway, pytest.raises(BureauUnavailable):
        gateway.download("absent.zip")


def test_keys_are_made_once_and_readable_by_their_owner_only() -> None:
    first = partner_keys.public_keys()
    partner_keys._signing_key.cache_clear()
    partner_keys._ssh_key.cache_clear()
    assert partner_keys.public_keys() == first
    for name in (partner_keys.SIGNING, partner_keys.SSH):
        assert (partner_keys._folder() / name).stat().st_mode & 0o777 == 0o600
    assert partner_keys.signing_key().public.fingerprint == first.fingerprint
