"""Check whether paths and origins in a request are this server's own."""

import re
from typing import Final
from urllib.parse import urlencode, urlsplit

SIGN_IN: Final = "/sign-in"
NEXT: Final = "next"
"""The parameter, and form field, that names the page to show after signing in."""

_MAX_LENGTH: Final = 2_000
# No second slash, which would begin a host; no backslash, which browsers read as a slash; and no spaces or control
# characters, which browsers skip. Browsers split a URL before they decode it, so encoded characters are harmless.
_OWN_PATH: Final = re.compile(r"/(?:[!-.0-\[\]-~][!-\[\]-~]*)?", re.ASCII)
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


def is_own_path(text: str) -> bool:
    """Return True if `text` is a path on this server, other than of a sign-in page, however a browser reads it."""
    return len(text) <= _MAX_LENGTH and _OWN_PATH.fullmatch(text) is not None and not text.startswith("/sign-")


def sign_in_path(next_path: str) -> str:
    """Return the path of the sign-in page, which leads to `next_path` afterwards if that is a page of this server."""
    return f"{SIGN_IN}?{urlencode({NEXT: next_path})}" if next_path != "/" and is_own_path(next_path) else SIGN_IN


def is_same_origin(origin: str, public_url: str, host: str) -> bool:
    """Return True if the Origin header matches the public URL or the Host header.

    With Host, only hosts and ports are compared: a proxy may use TLS to the browser without saying so.
    """
    scheme, separator, authority = origin.lower().partition("://")
    if not separator or scheme not in _DEFAULT_PORTS:
        return False
    port = _DEFAULT_PORTS[scheme]
    own = urlsplit(public_url.lower())
    hosts = {host.lower().removesuffix(port)}
    if own.scheme == scheme:
        hosts.add(own.netloc.removesuffix(port))
    return authority.removesuffix(port) in hosts - {""}
