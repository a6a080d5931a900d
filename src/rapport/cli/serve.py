"""`rapport serve`: run the server."""

import asyncio
import contextlib
import errno
import http.client
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import click
from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.log import LogLevels

from rapport.auth.authenticator import Authenticator
from rapport.auth.scope import Role, Scope
from rapport.auth.sign_in_codes import create_code
from rapport.auth.token import Principal
from rapport.cli.command import DEFAULT_ACCOUNT, data_option, ensure_store, get_settings, now, setting_option
from rapport.errors import InvalidSetting
from rapport.settings import Settings, export_to_environment
from rapport.store.engines import open_store
from rapport.store.store import Store

_READY_TIMEOUT: Final = 30.0
_KILL_TIMEOUT: Final = 15
"""Seconds for running requests and queued commits when the server stops; then workers are killed."""

SHARED_METRICS: Final = "PROMETHEUS_MULTIPROC_DIR"


@click.command()
@data_option
@setting_option("host", metavar="ADDRESS")
@setting_option("port")
@setting_option("workers")
def serve(data: str | None, host: str | None, port: int | None, workers: int | None) -> None:
    """Serve the API and the pages until Ctrl-C.

    \b
      rapport serve --port 8080
      curl localhost:8080/readyz

    The API explorer is at /schema. All settings are in docs/settings.md.
    """
    settings = get_settings(data=data, host=host, port=port, workers=workers)
    cores = os.cpu_count() or 1
    if settings.workers > cores:
        click.echo(f"rapport: {settings.workers} workers share {cores} cores; --workers {cores} is enough", err=True)
    ensure_store(settings)
    link = asyncio.run(open_and_create_link(settings, owner_principal(DEFAULT_ACCOUNT, "serve")))
    run_server(
        settings,
        lambda: click.echo(
            f"Rapport is running at {server_url(settings)} (Ctrl-C to stop)\n"
            f"Sign in (one-time link, valid 15 minutes): {link}"
        ),
    )


def owner_principal(account_id: str, client_id: str) -> Principal:
    """Return a principal with all permissions in the account, for users of the server's command line."""
    return Principal(
        account_id=account_id, client_id=client_id, user=client_id, role=Role.OWNER, scopes=frozenset(Scope)
    )


async def open_and_create_link(settings: Settings, principal: Principal) -> str:
    """Open the store and return a one-time sign-in link for the principal."""
    async with open_store(settings) as store:
        return await create_sign_in_link(store, settings, principal)


async def create_sign_in_link(store: Store, settings: Settings, principal: Principal) -> str:
    """Return a one-time sign-in link for the principal."""
    code = await create_code(store.secrets, principal, now())
    return f"{settings.public_url or server_url(settings)}/sign-in/{code}"


def server_url(settings: Settings) -> str:
    """Return the URL of the address that the server listens on."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


def run_server(settings: Settings, on_ready: Callable[[], None]) -> None:
    """Serve until a shutdown signal; call `on_ready` once requests are served. Raises InvalidSetting."""
    _check_port_available(settings)
    asyncio.run(_check_store(settings))
    export_to_environment(settings)
    with _shared_metrics(settings.workers):
        server = Granian(
            "rapport.app:application",
            factory=True,
            address=settings.host,
            port=settings.port,
            workers=settings.workers,
            interface=Interfaces.ASGI,
            # Responses close a connection with a header that HTTP/2 doesn't have.
            http=HTTPModes.http1,
            loop=Loops.uvloop,
            websockets=False,
            log_level=LogLevels.warning,
            respawn_failed_workers=True,
            workers_kill_timeout=_KILL_TIMEOUT,
        )
        server.on_startup(lambda: _announce_when_ready(settings, on_ready))
        server.serve()


def _check_port_available(settings: Settings) -> None:
    """Check that no other server uses the port: Granian's workers would share it. Raises InvalidSetting."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:
                message = f"port {settings.port} is already in use. Choose another with --port"
            else:
                message = f"can't listen on {server_url(settings)}: {exc.strerror}. Check --host and --port"
            raise InvalidSetting(message) from None


async def _check_store(settings: Settings) -> None:
    """Load the keys once, so that an error is printed here, instead of failing in every worker."""
    async with open_store(settings) as store:
        await Authenticator(store.secrets, settings).load()


@contextlib.contextmanager
def _shared_metrics(workers: int) -> Iterator[None]:
    if workers == 1:
        yield
        return
    folder = tempfile.mkdtemp(prefix="rapport-metrics-")
    os.environ[SHARED_METRICS] = folder
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _announce_when_ready(settings: Settings, on_ready: Callable[[], None]) -> None:
    def poll() -> None:
        deadline = time.monotonic() + _READY_TIMEOUT
        while time.monotonic() < deadline:
            # Sleep first: the workers are being forked, and other threads should not be busy meanwhile.
            time.sleep(0.2)
            connection = http.client.HTTPConnection(settings.host, settings.port, timeout=5)
            with contextlib.suppress(OSError), contextlib.closing(connection):
                connection.request("GET", "/readyz")
                if connection.getresponse().status == http.client.OK:
                    on_ready()
                    return

    threading.Thread(target=poll, name="announce", daemon=True).start()
