"""The long-running processes: the web server and the job worker."""

from typing import Any

from django.conf import settings
from django.db import connections
from gunicorn.app.base import BaseApplication

from xueka.platform.database import home
from xueka.platform.jobs import worker as jobs


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
        "worker_class": "gthread",
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
