"""Validate redirect URIs when they are registered, and when a request names one."""

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from rapport.errors import InvalidField

MAX_REDIRECT_URIS: Final = 10

_MAX_LENGTH: Final = 500
_PRINTABLE: Final = re.compile(r"[!-~]+", re.ASCII)
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_PRIVATE_SCHEME: Final = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+", re.ASCII)
"""A native app's scheme is a domain name in reverse (RFC 8252, section 7.1)."""


def parse_redirect_uri(text: str) -> str:
    """Return a redirect URI that an application may register. Raises InvalidField."""
    uri = text.strip()
    parts = _split(uri)
    if parts is None or len(uri) > _MAX_LENGTH or not _PRINTABLE.fullmatch(uri):
        raise InvalidField(
            "redirect_uri", text, f"must be a URI of at most {_MAX_LENGTH} characters, not {text[:60]!r}"
        )
    if "#" in uri:
        raise InvalidField("redirect_uri", text, "must have no fragment (#)")
    if "@" in parts.netloc:
        raise InvalidField("redirect_uri", text, "must have no user name or password")
    is_web = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if is_web and parts.hostname:
        return uri
    if parts.scheme not in {"http", "https"} and _PRIVATE_SCHEME.fullmatch(parts.scheme):
        return uri
    raise InvalidField(
        "redirect_uri",
        text,
        "must begin with https://, with http:// and a loopback address (127.0.0.1, [::1], localhost), or with the "
        "scheme of an app that is a domain name in reverse (com.example.app:)",
    )


def is_registered(uri: str, registered: tuple[str, ...]) -> bool:
    """Return True if a request may name this URI: it must match a registered one exactly.

    Only the port of a loopback address may differ, because a native app gets a free port at run time (RFC 8252).
    """
    if uri in registered:
        return True
    without_port = _without_loopback_port(uri)
    return without_port is not None and any(_without_loopback_port(other) == without_port for other in registered)


def get_origin(uri: str) -> str:
    """Return the scheme and host of a redirect URI, as in a Content-Security-Policy."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in {"http", "https"} else f"{parts.scheme}:"


def _without_loopback_port(uri: str) -> str | None:
    parts = _split(uri)
    if parts is None or parts.scheme != "http" or parts.hostname not in _LOOPBACK or "@" in parts.netloc:
        return None
    host = "[::1]" if parts.hostname == "::1" else parts.hostname
    return parts._replace(netloc=host).geturl()


def _split(uri: str) -> SplitResult | None:
    try:
        parts = urlsplit(uri)
        # Reading the port validates it.
        is_valid = parts.port is None or parts.port > 0
    except ValueError:
        return None
    return parts if is_valid else None
