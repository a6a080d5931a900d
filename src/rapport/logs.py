"""Structured logs: one line an event, on standard error. No token, no email and no full contact id goes into one."""

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


class RequestLog:
    """The log of requests. Past the general machinery when its lines are JSON: that costs more than many a request."""

    def __init__(self) -> None:
        self._structured = structlog.get_logger("rapport.api")
        self.as_text = True
        self.is_told = True

    def tell(self, **fields: str | float | None) -> None:
        """One line for a request."""
        if not self.is_told:
            return
        if self.as_text:
            self._structured.info("request", **fields)
            return
        now = time.time_ns() // 1_000_000
        line = {**fields, "event": "request", "level": "info", "timestamp": iso(now)}
        # A log that nobody takes must not fail the request.
        with contextlib.suppress(OSError):
            os.write(sys.stderr.fileno(), msgspec.json.encode(line) + b"\n")


requests: Final = RequestLog()


def configure_logs(form: LogFormat) -> None:
    """Have this process's log lines, and those of the libraries in it, look as set."""
    as_text = form is LogFormat.TEXT or (form in {LogFormat.AUTO, LogFormat.QUIET} and sys.stderr.isatty())
    requests.as_text = as_text
    requests.is_told = form is not LogFormat.QUIET
    renderers = _renderers(as_text=as_text)
    structlog.configure(
        processors=[*_SHARED, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO if requests.is_told else logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr)
        if as_text
        else structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(libraries(as_text=as_text))


def libraries(*, as_text: bool) -> dict[str, Any]:
    """The logging configuration of the libraries: their warnings, in the form of our own lines."""
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
