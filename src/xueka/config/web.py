"""The long-running processes: the web server and the job worker."""

import contextlib
import socket
import time
from typing import Any

from django.conf import settings
from django.db import connections
from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import ThreadWorker

from xueka.platform.database import home
from xueka.platform.jobs import worker as jobs

HEAD_SECONDS = 15.0  # from a request's first byte to the end of its head


class Worker(ThreadWorker):
    """gunicorn reads a request's head in one of few threads, for as long as bytes come: a handful of visitors
    who send one now and then would keep everybody out. Here they are hung up on.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._reading: dict[Any, float] = {}

    def handle(self, conn: Any) -> Any:
        self._reading[conn] = time.monotonic() + HEAD_SECONDS
        try:
            return super().handle(conn)
        finally:
            self._reading.pop(conn, None)

    def handle_request(self, req: Any, conn: Any) -> Any:
        self._reading.pop(conn, None)
        return super().handle_request(req, conn)

    def murder_pending(self) -> None:
        """Called about once a second."""
        super().murder_pending()
        now = time.monotonic()
        for conn, until in list(self._reading.items()):
            if until < now:
                with contextlib.suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR)


class _Web(BaseApplication):
    """gunicorn inside our own process, without its command line and its control socket."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        super().__init__()

    def load_config(self) -> None:
        for key, value in self.options.items():
            self.cfg.set(key, value)

    def load(self) -> Any:
        from xueka.config.wsgi import application

        return application


def web(where: str) -> None:
    """Serve pages until SIGTERM on `host:port`, or on an inherited listening socket `fd://N`."""
    connections.close_all()  # the forked processes must not share one
    options = {
        "bind": [where],
        "workers": settings.WEB_WORKERS,
        "worker_class": Worker,
        "threads": 4,
        "timeout": 120,
        "graceful_timeout": 10,
        "control_socket_disable": True,  # it would write into the user's home
        "worker_tmp_dir": str(home.private_directory(home.home() / "run")),
        "loglevel": "warning",
        "proc_name": "xueka-web",
    }
    _Web(options).run()


def worker() -> None:
    """Run jobs until SIGTERM; a job that is under way may finish for some seconds, then it is put back."""
    jobs.run(settings.WORKER_CONCURRENCY)
