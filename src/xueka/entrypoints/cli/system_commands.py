"""Running the installation: `serve` and the processes that it supervises."""

from typing import Annotated

import typer

from xueka.entrypoints.cli import common

Port = Annotated[
    int, typer.Option("--port", min=0, max=65535, help="网页端口；serve 在它被占用时改用空闲端口。")
]
Host = Annotated[str, typer.Option("--host", help="监听地址。")]
Empty = Annotated[bool, typer.Option("--empty", help="首次启动不生成演示城市。")]


def register(app: typer.Typer) -> None:
    @app.command()
    def serve(port: Port = 8000, host: Host = "127.0.0.1", empty: Empty = False) -> None:
        """启动全部服务：数据库、网页、后台任务、制卡厂模拟器；首次启动生成演示城市。"""
        from xueka.entrypoints.cli import serve as serving

        raise typer.Exit(serving.run(host, port, demo=not empty))

    @app.command()
    def web(
        port: Port = 8000,
        host: Host = "127.0.0.1",
        descriptor: Annotated[
            int | None, typer.Option("--fd", help="已打开的监听套接字，代替地址与端口。")
        ] = None,
    ) -> None:
        """网页进程；serve 会启动它，生产环境可由系统的服务管理器直接运行。"""
        with common.database():
            from xueka.config import web as processes

            processes.web(f"fd://{descriptor}" if descriptor is not None else f"{host}:{port}")

    @app.command()
    def worker() -> None:
        """后台任务进程；可在任意多台机器上运行。"""
        with common.database():
            from xueka.config import web as processes

            processes.worker()

    @app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
    def manage(context: typer.Context) -> None:
        """Django 的管理命令（开发与运维）。"""
        with common.database():
            from django.core.management import execute_from_command_line

            execute_from_command_line(["xueka manage", *context.args])
