"""Structured logs: one line per event, on standard error, without tokens, email addresses or full contact ids."""

import contextlib
import logging
import logging.config
import os
import sys
import time
from typing import Any, Final

import msgspec
import structlog
from structlog.typing import Processor

from rapport.instant import iso
from rapport.settings import LogFormat

_SHARED: Final[list[Processor]] = [
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


class AccessLog:
    """The access log. JSON lines bypass structlog, which would take longer than some requests do."""

    def __init__(self) -> None:
        self._structured = structlog.get_logger("rapport.api")
        self.as_text = True
        self.enabled = True

    def log(self, **fields: str | float | None) -> None:
        """Log a request."""
        if not self.enabled:
            return
        if self.as_text:
            self._structured.info("request", **fields)
            return
        now = time.time_ns() // 1_000_000
        line = {**fields, "event": "request", "level": "info", "timestamp": iso(now)}
        # A request must not fail because its log line can't be written.
        with contextlib.suppress(OSError):
            os.write(sys.stderr.fileno(), msgspec.json.encode(line) + b"\n")


access_log: Final = AccessLog()


def configure_logs(log_format: LogFormat) -> None:
    """Configure the log of this process and of its libraries."""
    as_text = log_format is LogFormat.TEXT or (log_format in {LogFormat.AUTO, LogFormat.QUIET} and sys.stderr.isatty())
    access_log.as_text = as_text
    access_log.enabled = log_format is not LogFormat.QUIET
    renderers = _renderers(as_text=as_text)
    structlog.configure(
        processors=[*_SHARED, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO if access_log.enabled else logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr)
        if as_text
        else structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(stdlib_logging_config(as_text=as_text))


def stdlib_logging_config(*, as_text: bool) -> dict[str, Any]:
    """Return the configuration for libraries that use `logging`: their warnings, formatted like our own lines."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [structlog.stdlib.add_logger_name, *_SHARED],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *_renderers(as_text=as_text, as_bytes=False),
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
    }


def _renderers(*, as_text: bool, as_bytes: bool = True) -> list[Processor]:
    if as_text:
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    serializer = _json_bytes if as_bytes else _json_text
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=serializer)]


def _json_bytes(event: object, **_options: object) -> bytes:
    return msgspec.json.encode(event, enc_hook=repr)


def _json_text(event: object, **_options: object) -> str:
    return _json_bytes(event).decode()
