"""Sign in to an IMAP server, with a password or with OAuth 2.0 (RFC 6749, RFC 7628)."""

import os
import time
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import httpx
import msgspec
import structlog
from imapclient import IMAPClient
from imapclient.exceptions import LoginError

from rapport.capture.errors import MailboxUnavailable

_TIMEOUT_SECONDS: Final = 30.0
_DEFAULT_LIFETIME_SECONDS: Final = 300
_MARGIN_SECONDS: Final = 60
"""Access tokens are renewed this long before they expire."""
_MAX_DESCRIPTION: Final = 300
_LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})

_log = structlog.get_logger("rapport.capture")


class ImapLogin(Protocol):
    """A way to sign in."""

    def sign_in(self, client: IMAPClient, user: str) -> None:
        """Sign in as the user. Raises MailboxUnavailable and IMAPClientError."""


class PasswordLogin:
    """Signs in with a password."""

    def __init__(self, password: str) -> None:
        self._password = password

    def sign_in(self, client: IMAPClient, user: str) -> None:
        """Sign in as the user. Raises IMAPClientError."""
        client.login(user, self._password)


class OAuthClient(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The content of the file with which access tokens are requested.

    Without a refresh token, the client acts on its own behalf (the client credentials grant of Microsoft 365).
    """

    token_url: str
    client_id: str
    client_secret: str | None = None
    refresh_token: str | None = None
    scope: str | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.token_url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL_HOSTS):
            raise ValueError(f"token_url: {self.token_url!r} must begin with https://")
        if not parts.hostname:
            raise ValueError(f"token_url: {self.token_url!r} has no host")
        if self.refresh_token is None and self.client_secret is None:
            raise ValueError("refresh_token or client_secret is required")


class _TokenResponse(msgspec.Struct, frozen=True):
    """A response of the token endpoint (RFC 6749, section 5.1)."""

    access_token: str
    expires_in: int = _DEFAULT_LIFETIME_SECONDS
    refresh_token: str | None = None


def read_oauth_file(file: Path) -> OAuthClient:
    """Return the content of the file. Raises ValueError, without the file's secrets."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=OAuthClient)
    except (OSError, msgspec.DecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise ValueError(
            f"{file}: {reason}; expected JSON with token_url, client_id, refresh_token, and client_secret and scope "
            "if the provider needs them"
        ) from exc


class OAuthLogin:
    """Signs in with an access token, which is requested when it is needed.

    The file is read for each request, so it can be replaced. If the provider returns another refresh token, it is
    written to the file, because the previous one may be valid only once.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._access_token = ""
        self._expires = float("-inf")

    def sign_in(self, client: IMAPClient, user: str) -> None:
        """Sign in as the user. Raises MailboxUnavailable and IMAPClientError."""
        is_standard = client.has_capability("AUTH=OAUTHBEARER")
        if not (is_standard or client.has_capability("AUTH=XOAUTH2")):
            raise MailboxUnavailable(
                "the server offers neither OAUTHBEARER nor XOAUTH2; use --password-file instead of --oauth-file"
            )
        token = self._get_access_token()
        try:
            if is_standard:
                client.oauthbearer_login(user, token)
            else:
                client.oauth2_login(user, token)
        except LoginError:
            # It may have been revoked.
            self._expires = float("-inf")
            raise

    def _get_access_token(self) -> str:
        if time.monotonic() >= self._expires:
            try:
                client = read_oauth_file(self._file)
            except ValueError as exc:
                raise MailboxUnavailable(str(exc)) from exc
            response = _request_token(client)
            self._access_token = response.access_token
            self._expires = time.monotonic() + response.expires_in - _MARGIN_SECONDS
            if response.refresh_token is not None and response.refresh_token != client.refresh_token:
                self._save(msgspec.structs.replace(client, refresh_token=response.refresh_token))
        return self._access_token

    def _save(self, client: OAuthClient) -> None:
        unfinished = self._file.with_name(f"{self._file.name}.new")
        try:
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(client)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self._file)
        except OSError as exc:
            _log.warning("the new refresh token can't be saved", file=str(self._file), error=exc.strerror)


def _request_token(client: OAuthClient) -> _TokenResponse:
    host = urlsplit(client.token_url).hostname
    fields = {
        "grant_type": "client_credentials" if client.refresh_token is None else "refresh_token",
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "refresh_token": client.refresh_token,
        "scope": client.scope,
    }
    try:
        response = httpx.post(
            client.token_url,
            data={name: value for name, value in fields.items() if value is not None},
            headers={"accept": "application/json"},
            timeout=_TIMEOUT_SECONDS,
        )
    except httpx.HTTPError as exc:
        raise MailboxUnavailable(f"{host} can't be reached for an access token: {exc}") from exc
    if response.status_code != httpx.codes.OK:
        raise MailboxUnavailable(f"{host} gave no access token: {_describe_error(response, client)}")
    try:
        return msgspec.json.decode(response.content, type=_TokenResponse, strict=False)
    except msgspec.DecodeError as exc:
        raise MailboxUnavailable(f"{host} gave no access token: its response is not one of OAuth 2.0") from exc


def _describe_error(response: httpx.Response, client: OAuthClient) -> str:
    """Return the error of a token endpoint (RFC 6749, section 5.2), without secrets that it may repeat."""
    try:
        error: Any = msgspec.json.decode(response.content, type=dict[str, Any])
    except msgspec.DecodeError:
        return f"status {response.status_code}"
    parts = (str(error[name]) for name in ("error", "error_description") if name in error)
    text = " ".join(": ".join(parts).split())[:_MAX_DESCRIPTION] or f"status {response.status_code}"
    for secret in (client.refresh_token, client.client_secret):
        text = text.replace(secret, "…") if secret else text
    return text
