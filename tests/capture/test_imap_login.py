"""OAuth for IMAP: a real Dovecot that checks the access tokens, and a token endpoint on loopback."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from rapport.capture.bounces.imap import ImapFolder, read_folder
from rapport.capture.bounces.imap_login import OAuthLogin, PasswordLogin, read_oauth_file
from rapport.capture.errors import MailboxUnavailable
from tests.helpers.command import run_rapport
from tests.helpers.mail_servers import ensure_installed, make_reachable_folder, run_dovecot

USER = "bounces@example.com"
KEY = b"a key with which access tokens are signed"
REFRESH_TOKEN = "refresh-1"  # noqa: S105 - made up
CLIENT_SECRET = "client-secret-1"  # noqa: S105 - made up


def sign_access_token(email: str = USER) -> str:
    now = int(time.time())
    return jwt.encode(
        {"alg": "HS256"}, {"sub": email, "email": email, "iat": now, "exp": now + 3600}, OctKey.import_key(KEY)
    )


class TokenEndpoint:
    """Gives access tokens for a refresh token, and remembers the requests."""

    def __init__(self) -> None:
        self.requests: list[dict[str, str]] = []
        self.response: tuple[int, dict[str, Any]] = (200, {"access_token": sign_access_token(), "expires_in": "3600"})
        self.url = ""

    @contextlib.contextmanager
    def run(self) -> Iterator["TokenEndpoint"]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["content-length"])).decode()
                endpoint.requests.append(dict(parse_qsl(form)))
                status, body = endpoint.response
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        with HTTPServer(("127.0.0.1", 0), Handler) as server:
            self.url = f"http://127.0.0.1:{server.server_port}/token"
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            yield self
            server.shutdown()
            thread.join()


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    with TokenEndpoint().run() as running:
        yield running


@pytest.fixture
def file(endpoint: TokenEndpoint, tmp_path: Path) -> Path:
    path = tmp_path / "oauth.json"
    path.write_text(
        json.dumps(
            {
                "token_url": endpoint.url,
                "client_id": "rapport",
                "client_secret": CLIENT_SECRET,
                "refresh_token": REFRESH_TOKEN,
                "scope": "imap offline_access",
            }
        )
    )
    return path


class Client:
    """The part of an IMAP client that signs in."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    def has_capability(self, name: str) -> bool:
        return name == "AUTH=XOAUTH2"

    def oauth2_login(self, _user: str, token: str) -> None:
        self.tokens.append(token)


@pytest.mark.slow
@pytest.mark.parametrize("mechanisms", ["plain oauthbearer xoauth2", "plain xoauth2"])
def test_folder_is_read_with_access_token(endpoint: TokenEndpoint, file: Path, mechanisms: str) -> None:
    ensure_installed("dovecot", "dovecot-imapd")
    with (
        make_reachable_folder() as folder,
        run_dovecot(folder / "dovecot", password="x", oauth_key=KEY, mechanisms=mechanisms) as (port, _),  # noqa: S106 - of a server that only this test uses
    ):
        inbox = ImapFolder("127.0.0.1", port, USER, "INBOX", is_tls=False)
        login = OAuthLogin(file)
        for _ in range(2):
            assert read_folder(inbox, login, lambda _: None, max_bytes=100, is_deleting=False) == (0, 0)
        assert endpoint.requests == [
            {
                "grant_type": "refresh_token",
                "client_id": "rapport",
                "client_secret": CLIENT_SECRET,
                "refresh_token": REFRESH_TOKEN,
                "scope": "imap offline_access",
            }
        ]
        token = sign_access_token("somebody.else@example.com")
        endpoint.response = 200, {"access_token": token}
        with pytest.raises(MailboxUnavailable, match=r"INBOX of 127\.0\.0\.1 can't be read") as caught:
            read_folder(inbox, OAuthLogin(file), lambda _: None, max_bytes=100, is_deleting=False)
        assert token not in str(caught.value)


@pytest.mark.slow
def test_server_without_oauth_is_reported(file: Path) -> None:
    ensure_installed("dovecot", "dovecot-imapd")
    with make_reachable_folder() as folder, run_dovecot(folder / "dovecot", password="x") as (port, _):  # noqa: S106 - of a server that only this test uses
        inbox = ImapFolder("127.0.0.1", port, USER, "INBOX", is_tls=False)
        with pytest.raises(MailboxUnavailable, match="neither OAUTHBEARER nor XOAUTH2; use --password-file"):
            read_folder(inbox, OAuthLogin(file), lambda _: None, max_bytes=100, is_deleting=False)
        assert read_folder(inbox, PasswordLogin("x"), lambda _: None, max_bytes=100, is_deleting=False) == (0, 0)


def test_new_refresh_token_is_saved(endpoint: TokenEndpoint, file: Path) -> None:
    endpoint.response = 200, {"access_token": "a-1", "expires_in": 1, "refresh_token": "refresh-2"}
    client: Any = Client()
    login = OAuthLogin(file)
    login.sign_in(client, USER)
    assert read_oauth_file(file).refresh_token == "refresh-2"  # noqa: S105 - made up
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in file.parent.iterdir()) == [file.name]
    # The access token expires at once, and the next one is requested with the new refresh token.
    login.sign_in(client, USER)
    assert [request["refresh_token"] for request in endpoint.requests] == [REFRESH_TOKEN, "refresh-2"]


def test_client_without_refresh_token_acts_on_its_own_behalf(endpoint: TokenEndpoint, file: Path) -> None:
    file.write_text(json.dumps({"token_url": endpoint.url, "client_id": "rapport", "client_secret": CLIENT_SECRET}))
    client: Any = Client()
    OAuthLogin(file).sign_in(client, USER)
    assert endpoint.requests[0]["grant_type"] == "client_credentials"
    assert len(client.tokens) == 1


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (
            400,
            {"error": "invalid_grant", "error_description": f"expired:\n{REFRESH_TOKEN}"},
            "invalid_grant: expired: …",
        ),
        (401, {"error": "invalid_client", "error_description": CLIENT_SECRET}, "invalid_client: …"),
        (503, {}, "status 503"),
        (200, {"token_type": "Bearer"}, "its response is not one of OAuth 2.0"),
    ],
)
def test_refused_refresh_token_is_reported_without_secrets(
    endpoint: TokenEndpoint, file: Path, status: int, body: dict[str, str], expected: str
) -> None:
    endpoint.response = status, body
    client: Any = Client()
    with pytest.raises(MailboxUnavailable) as caught:
        OAuthLogin(file).sign_in(client, USER)
    assert str(caught.value) == f"127.0.0.1 gave no access token: {expected}"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"token_url": "http://login.example.com/token"}, "must begin with https://"),
        ({"token_url": "https://"}, "has no host"),
        ({"client_id": None}, "client_id"),
        ({"refresh_token": None, "client_secret": None}, "refresh_token or client_secret is required"),
        ({"refresh_tokn": "x"}, "refresh_tokn"),
    ],
)
def test_invalid_oauth_file_is_rejected(
    file: Path, tmp_path: Path, changes: dict[str, str | None], expected: str
) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    url = "imaps://bounces%40example.com@mail.example.com/INBOX"
    arguments = ("bounce", "--data", str(tmp_path), "--imap", url, "--oauth-file", str(file))
    failed = run_rapport(*arguments, code=2)
    assert expected in failed.stderr
    assert REFRESH_TOKEN not in failed.stderr
    assert "either --password-file or --oauth-file" in run_rapport(*arguments, "--password-file", "-", code=2).stderr
