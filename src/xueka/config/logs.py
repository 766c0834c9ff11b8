"""Logging: JSON lines, or readable ones on a terminal. Never a personal value, never a form."""

import logging
import os
import sys
from typing import Any

import structlog

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure() -> None:
    """Everything that is logged goes to standard error; standard output belongs to the command's answer."""
    human = sys.stderr.isatty() and os.environ.get("XUEKA_LOG") != "json"
    renderer = (
        structlog.dev.ConsoleRenderer() if human else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    # Tracebacks without local variables: those hold names, numbers and keys.
    exceptions: list[Any] = [] if human else [structlog.processors.format_exc_info]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *exceptions, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(os.environ.get("XUEKA_LOG_LEVEL", "WARNING"))
    logging.getLogger("django.request").setLevel("ERROR")  # an address that does not exist is no event
    logging.getLogger("xueka").setLevel(os.environ.get("XUEKA_LOG_LEVEL", "INFO"))
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
