"""`rapport serve`: the server."""

import asyncio
import contextlib
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

from rapport.auth.one_time import create_code
from rapport.auth.scope import Role, Scope
from rapport.auth.token import Principal
from rapport.auth.watch import KeyCache
from rapport.cli.command import DEFAULT_ACCOUNT, data_option, ensure_store, now, settings_for
from rapport.errors import InvalidSetting
from rapport.settings import Settings, export_to_environment
from rapport.store.engines import open_store
from rapport.store.store import Store

_READY_WITHIN: Final = 30.0
_STOP_WITHIN: Final = 15
"""Seconds for requests under way, and what waits for its commit, when the server is stopped."""

SHARED_METRICS: Final = "PROMETHEUS_MULTIPROC_DIR"


@click.command()
@data_option
@click.option("--host", metavar="ADDRESS", help="The address to listen on. [default: 127.0.0.1]")
@click.option("--port", type=int, help="The port to listen on. [default: 8080]")
@click.option("--workers", type=int, help="How many processes serve: one a core at most. [default: 1]")
def serve(data: str | None, host: str | None, port: int | None, workers: int | None) -> None:
    """Serve the API until Ctrl-C.

    \b
      rapport serve --port 8080
      curl localhost:8080/readyz

    The page to try the API on is at /schema. Every option is also a variable: RAPPORT_PORT and so on.
    """
    settings = settings_for(data=data, host=host, port=port, workers=workers)
    cores = os.cpu_count() or 1
    if settings.workers > cores:
        click.echo(f"rapport: {settings.workers} workers share {cores} cores: --workers {cores} is enough", err=True)
    ensure_store(settings)
    link = asyncio.run(sign_in_link(settings, owner_of(DEFAULT_ACCOUNT, "serve")))
    run_server(
        settings,
        lambda: click.echo(
            f"Rapport listens on {address(settings)} (Ctrl-C stops it)\nSign in, once and within 15 minutes: {link}"
        ),
    )


def owner_of(account_id: str, client_id: str) -> Principal:
    """Somebody who may do everything in an account: whoever sits at the server."""
    return Principal(
        account_id=account_id, client_id=client_id, user=client_id, role=Role.OWNER, scopes=frozenset(Scope)
    )


async def sign_in_link(settings: Settings, principal: Principal) -> str:
    """A link that signs the principal in at the pages, once."""
    async with open_store(settings) as store:
        return await make_link(store, settings, principal)


async def make_link(store: Store, settings: Settings, principal: Principal) -> str:
    """Return a link that signs the principal in, once."""
    code = await create_code(store.secrets, principal, now())
    return f"{settings.public_url or address(settings)}/sign-in/{code}"


def address(settings: Settings) -> str:
    """The server's address, for people."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


def run_server(settings: Settings, announce: Callable[[], None]) -> None:
    """Serve until told to stop; `announce` when it is ready. Raises InvalidSetting for an address it can't have."""
    _check_free(settings)
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
            # One request at a time on a connection: by HTTP/2 whoever is cut off would take others along.
            http=HTTPModes.http1,
            loop=Loops.uvloop,
            websockets=False,
            log_level=LogLevels.warning,
            respawn_failed_workers=True,
            workers_kill_timeout=_STOP_WITHIN,
        )
        server.on_startup(lambda: _when_ready(settings, announce))
        server.serve()


def _check_free(settings: Settings) -> None:
    """Granian's workers share a port, so it would also share one with a stranger."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as problem:
            raise InvalidSetting(
                f"{address(settings)} can't be listened on: {problem.strerror}. Choose another with --port or --host"
            ) from None


async def _check_store(settings: Settings) -> None:
    """What a worker would fail of is told here, in a sentence."""
    async with open_store(settings) as store:
        await KeyCache(store.secrets, settings).check()


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


def _when_ready(settings: Settings, announce: Callable[[], None]) -> None:
    def look() -> None:
        ends = time.monotonic() + _READY_WITHIN
        while time.monotonic() < ends:
            # First a pause: the workers are being forked, and a fork wants no busy thread beside it.
            time.sleep(0.2)
            connection = http.client.HTTPConnection(settings.host, settings.port, timeout=5)
            with contextlib.suppress(OSError), contextlib.closing(connection):
                connection.request("GET", "/readyz")
                if connection.getresponse().status == http.client.OK:
                    announce()
                    return

    threading.Thread(target=look, name="announce", daemon=True).start()
