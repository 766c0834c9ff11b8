"""The bureau's drop box over SFTP: pinned host key, log-in by key, every step with a time limit."""

import asyncio
import contextlib
from collections.abc import Awaitable, Coroutine, Iterator
from typing import Any

import asyncssh

from xueka.contexts.production.adapters import partner_keys
from xueka.contexts.production.models import Partner
from xueka.contexts.production.ports import SIZE_LIMIT, BureauUnavailable, RemoteFile

CONNECT_LIMIT = 15.0  # seconds, log-in included
LIST_LIMIT = 30.0
TRANSFER_LIMIT = 600.0  # one file; a package of 100,000 cards takes seconds on a fair line


class SftpGateway:
    """An open SFTP session behind plain calls; use it from one thread."""

    def __init__(self, runner: asyncio.Runner, client: asyncssh.SFTPClient, partner: Partner) -> None:
        self._runner = runner
        self._client = client
        self._partner = partner

    def upload(self, name: str, content: bytes) -> None:
        self._run(self._upload(name, content), TRANSFER_LIMIT)

    def list_out(self) -> list[RemoteFile]:
        return self._run(self._list_out(), LIST_LIMIT)

    def download(self, name: str) -> bytes:
        return self._run(self._download(name), TRANSFER_LIMIT)

    def _run(self, work: Coroutine[Any, Any, Any], limit: float) -> Any:
        return _translated(self._runner, work, limit, self._partner)

    async def _upload(self, name: str, content: bytes) -> None:
        part = f"in/{name}.part"
        async with self._client.open(part, "wb") as file:
            await file.write(content)
        await self._replace(part, f"in/{name}")

    async def _replace(self, source: str, target: str) -> None:
        """Rename over whatever is there, also where the server lacks the extension for it."""
        try:
            await self._client.posix_rename(source, target)
        except asyncssh.SFTPOpUnsupported:
            with contextlib.suppress(asyncssh.SFTPNoSuchFile):
                await self._client.remove(target)
            await self._client.rename(source, target)

    async def _list_out(self) -> list[RemoteFile]:
        found = []
        async for entry in self._client.scandir("out"):
            name, attributes = str(entry.filename), entry.attrs
            if attributes.type == asyncssh.FILEXFER_TYPE_REGULAR and not name.endswith(".part"):
                found.append(RemoteFile(name, attributes.size or 0, int(attributes.mtime or 0)))
        return sorted(found, key=lambda file: file.name)

    async def _download(self, name: str) -> bytes:
        async with self._client.open(f"out/{name}", "rb") as file:
            content: bytes = await file.read(SIZE_LIMIT + 1)
        if len(content) > SIZE_LIMIT:
            raise BureauUnavailable(
                "BUREAU_FILE_TOO_LARGE",
                f"卡厂文件 {name} 超过 {SIZE_LIMIT // 1024 // 1024} MB，未下载。",
                where=name,
            )
        return content


@contextlib.contextmanager
def connect(partner: Partner) -> Iterator[SftpGateway]:
    """A session with the partner's server. Raises BureauUnavailable, also when the host key has changed."""
    with asyncio.Runner() as runner:
        connection = _translated(runner, _log_in(partner), CONNECT_LIMIT, partner)
        try:
            client = _translated(runner, _start(connection), CONNECT_LIMIT, partner)
            yield SftpGateway(runner, client, partner)
        finally:
            connection.abort()
            runner.run(connection.wait_closed())


async def _log_in(partner: Partner) -> asyncssh.SSHClientConnection:
    return await asyncssh.connect(
        partner.host,
        partner.port,
        username=partner.username,
        known_hosts=([asyncssh.import_public_key(partner.host_key)], [], []),
        client_keys=[partner_keys.ssh_key()],
        preferred_auth="publickey",
        agent_path=None,
        config=None,
        keepalive_interval=15,
        login_timeout=CONNECT_LIMIT,
    )


async def _start(connection: asyncssh.SSHClientConnection) -> asyncssh.SFTPClient:
    return await connection.start_sftp_client()


def _translated(runner: asyncio.Runner, work: Awaitable[Any], limit: float, partner: Partner) -> Any:
    """Run `work`; whatever the network does to it becomes BureauUnavailable in the operator's words."""

    async def limited() -> Any:
        return await asyncio.wait_for(work, limit)

    try:
        return runner.run(limited())
    except asyncssh.HostKeyNotVerifiable as error:
        raise _unavailable(
            "BUREAU_HOST_KEY",
            "卡厂服务器的主机密钥与登记的不一致，已断开连接。",
            "请打电话向卡厂核实；确认更换后由两人重新登记。",
            partner,
        ) from error
    except asyncssh.PermissionDenied as error:
        raise _unavailable(
            "BUREAU_LOGIN",
            "卡厂服务器没有接受我方的登录密钥。",
            "请把我方 SSH 公钥（xueka bureau keys）交给卡厂登记。",
            partner,
        ) from error
    except asyncssh.SFTPError as error:
        raise _unavailable(
            "BUREAU_TRANSFER",
            f"卡厂服务器拒绝了文件操作（代码 {error.code}）。",
            "系统会自动重试；持续失败时请联系卡厂检查收发目录。",
            partner,
        ) from error
    except (OSError, asyncssh.Error, TimeoutError) as error:
        raise _unavailable(
            "BUREAU_UNREACHABLE", "连不上卡厂服务器，或连接中断。", "系统会自动重试。", partner
        ) from error


def _unavailable(code: str, message: str, action: str, partner: Partner) -> BureauUnavailable:
    return BureauUnavailable(code, message, where=f"{partner.host}:{partner.port}", action=action)
