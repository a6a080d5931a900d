"""Addresses that come with a request: which of them are this server's own. No I/O."""

import re
from typing import Final
from urllib.parse import urlencode, urlsplit

SIGN_IN: Final = "/sign-in"
NEXT: Final = "next"
"""The parameter, and form field, that names the page to show after signing in."""

_MAX_LENGTH: Final = 2_000
# No second slash, which would begin a host, and no backslash, which browsers read as a slash. No blanks or control
# characters either, which they skip. What is percent-encoded stays so: browsers don't decode it before they split it.
_OWN_PATH: Final = re.compile(r"/(?:[!-.0-\[\]-~][!-\[\]-~]*)?", re.ASCII)
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


def is_own_path(text: str) -> bool:
    """Return True if a browser that is sent to `text` stays on this server, at a page other than those to sign in."""
    return len(text) <= _MAX_LENGTH and _OWN_PATH.fullmatch(text) is not None and not text.startswith("/sign-")


def sign_in_path(next_path: str) -> str:
    """Return the address of the sign-in page that leads to `next_path`, if that is worth keeping."""
    return f"{SIGN_IN}?{urlencode({NEXT: next_path})}" if next_path != "/" and is_own_path(next_path) else SIGN_IN


def is_same_origin(origin: str, public_url: str, host: str) -> bool:
    """Return True if the Origin header names the public URL, or the host that was asked.

    Only hosts and ports are compared with Host: whether a proxy speaks TLS to the browser can't be seen here.
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
