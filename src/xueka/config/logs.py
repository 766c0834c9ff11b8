"""Logging: JSON lines, or readable ones on a terminal. Never a personal value, never a form."""

import logging
import os
import re
import sys
from typing import Any

import structlog

# PostgreSQL quotes the refused row or key after DETAIL, line breaks and all.
_QUOTED_ROW = re.compile(
    r"^DETAIL:.*?(?=\n(?:HINT|CONTEXT|QUERY):|\n\n(?:The above|During handling)|\Z)", re.MULTILINE | re.DOTALL
)

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
    exceptions: list[Any] = [structlog.processors.format_exc_info, _without_rows]
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


def _without_rows(logger: object, name: str, event: dict[str, Any]) -> dict[str, Any]:
    """Take what a database error quotes out of the text of an exception."""
    if "exception" in event:
        event["exception"] = _QUOTED_ROW.sub("DETAIL: …", event["exception"])
    return event
