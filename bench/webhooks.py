"""Measure webhooks: how fast they are accepted and recorded, and how soon their activities are visible."""

import asyncio
import base64
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import httpx
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bench.data import activities
from bench.files import sendgrid_event
from bench.load import BIN, Load, find_free_port, granian, measure_load, rapport, server
from bench.measure import Measurement, expect_min
from bench.pages import sign_token
from rapport.capture.captured import CapturedRequest, encode_request
from rapport.capture.spool import SUFFIX, encode_record
from rapport.capture.spool_reader import read_status
from rapport.instant import Instant
from rapport.recording.hook_registry import create_hook
from rapport.settings import Settings
from rapport.store.engines import open_store
from rapport.store.hooks import Hook

_CLIENTS: Final = 64
_EVENTS_PER_REQUEST: Final = 100
_SEGMENT_BYTES: Final = 16 * 1024 * 1024
_TIMEOUT: Final = 900
_KEY: Final = generate_private_key(SECP256R1())
_VERIFICATION_KEY: Final = base64.b64encode(
    _KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()


def measure(*, small: bool) -> list[Measurement]:
    """Measure how fast webhooks are accepted, and how fast and how soon they are recorded."""
    seconds, rounds, events = (1, 1, 20_000) if small else (6, 3, 1_000_000)
    return [
        *_measure_accepting(seconds, rounds),
        _measure_latency_while_recording(seconds, events),
        _measure_visibility(1_000 if small else 10_000, rounds),
        _measure_replay(events, rounds),
    ]


def _measure_accepting(seconds: float, rounds: int) -> list[Measurement]:
    ours, baseline = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            hook, secret = _create_hook(folder, "postmark")
            ours.append(_measure_posts(rapport, folder, _path(hook, secret), seconds))
            baseline.append(_measure_posts(_accept_command, folder, _path(hook, secret), seconds))
    rate = max(load.rate for load in ours)
    bare = max(load.rate for load in baseline)
    return [
        expect_min(
            0.5,
            name=f"{_CLIENTS} clients post webhooks, each answered when it is on the disk",
            value=rate,
            unit="requests/s",
            baseline=f"a route that responds with 200 and stores nothing, {bare:,.0f}/s",
            ratio=rate / bare,
        ),
    ]


def _measure_latency_while_recording(seconds: float, events: int) -> Measurement:
    """Compare with the latency of a server that has nothing to record but these requests."""
    p99 = []
    for backlog in (0, events):
        with tempfile.TemporaryDirectory() as folder:
            hook, secret = _create_hook(folder, "postmark")
            if backlog:
                _fill_spool(folder, _create_hook(folder, "sendgrid")[0], backlog)
            load = _measure_posts(rapport, folder, _path(hook, secret), seconds, connections=4)
            p99.append(load.p99)
    return Measurement(
        name=f"4 clients post webhooks while {events:,} events are recorded: 99th percentile",
        value=p99[1],
        unit="ms",
        baseline=f"the same without a backlog, {p99[0]:.1f} ms",
        ratio=p99[1] / p99[0],
    )


def _measure_visibility(count: int, rounds: int) -> Measurement:
    return Measurement(
        name=f"{count:,} events of SendGrid, from the first request until the last is on its contact's page",
        value=min(_time_visibility(count) for _ in range(rounds)),
        unit="s",
        baseline="one client, 100 events per request",
    )


def _time_visibility(count: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        hook, _ = _create_hook(folder, "sendgrid")
        token = sign_token(folder)
        *_, last = activities(count, count // 40)
        last_event = sendgrid_event(count, last) | {"category": "the-last-event"}
        bodies = [*_bodies(count - 1), json.dumps([last_event]).encode()]
        port = find_free_port()
        with (
            server(rapport(folder, port), port, {"RAPPORT_LIMITS": "off"}),
            httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
        ):
            client.post("/sign-in", data={"token": token})
            requests = [(body, _sign(body)) for body in bodies]
            started = time.perf_counter()
            for body, headers in requests:
                client.post(_path(hook), content=body, headers=headers).raise_for_status()
            page = ""
            while time.perf_counter() - started < _TIMEOUT:
                if not page:
                    response = client.get(
                        "/v3/contacts", params={"email": str(last_event["email"])}, headers=_bearer(token)
                    )
                    page = "".join(f"/contacts/{contact['contact_id']}" for contact in response.json()["contacts"])
                elif "the-last-event" in client.get(page).text:
                    return time.perf_counter() - started
                time.sleep(0.01)
    raise RuntimeError("the events are not visible")


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def _measure_replay(count: int, rounds: int) -> Measurement:
    replayed, imported = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            replayed.append(count / _time_replay(folder, count))
        with tempfile.TemporaryDirectory() as folder:
            imported.append(count / _time_import(folder, count))
    return expect_min(
        0.5,
        name=f"replay of a spool of {count:,} events",
        value=max(replayed),
        unit="events/s",
        baseline=f"rapport import of the same events, {max(imported):,.0f}/s",
        ratio=max(replayed) / max(imported),
    )


def _time_replay(folder: str, count: int) -> float:
    """Return the seconds from the start of the server until the spool is recorded."""
    hook, _ = _create_hook(folder, "sendgrid")
    spool = _fill_spool(folder, hook, count)
    port = find_free_port()
    started = time.perf_counter()
    # Not on a core of its own, like the import.
    with subprocess.Popen(rapport(folder, port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while read_status(spool).waiting_bytes:
                if process.poll() is not None or time.perf_counter() - started > _TIMEOUT:
                    raise RuntimeError("the spool isn't recorded")
                time.sleep(0.25)
            return time.perf_counter() - started
        finally:
            process.terminate()


def _time_import(folder: str, count: int) -> float:
    """Return the seconds that the whole command takes."""
    file = Path(folder) / "events.json"
    with file.open("w") as lines:
        for number, activity in enumerate(activities(count, count // 40)):
            lines.write(json.dumps(sendgrid_event(number, activity)) + "\n")
    command = [str(BIN / "rapport"), "import", str(file), "--data", f"{folder}/data", "--create"]
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def _create_hook(data: str, provider: str) -> tuple[Hook, str | None]:
    async def create() -> tuple[Hook, str | None]:
        async with open_store(Settings(data=data)) as store:
            await store.accounts.ensure("default")
            keys = (_VERIFICATION_KEY,) if provider == "sendgrid" else ()
            active, secret = await create_hook(
                store, "default", provider, name=provider, settings={}, keys=keys, now=Instant(time.time_ns() // 10**6)
            )
            return active.hook, secret

    return asyncio.run(create())


def _path(hook: Hook, secret: str | None = None) -> str:
    return f"/in/{hook.provider}/{hook.hook_id}" + (f".{secret}" if secret else "")


def _bodies(count: int) -> Iterator[bytes]:
    """Yield the bodies of SendGrid's requests."""
    events: list[dict[str, object]] = []
    for number, activity in enumerate(activities(count, count // 40)):
        events.append(sendgrid_event(number, activity))
        if len(events) == _EVENTS_PER_REQUEST or number == count - 1:
            yield json.dumps(events).encode()
            events = []


def _sign(body: bytes) -> dict[str, str]:
    timestamp = str(int(time.time()))
    signature = base64.b64encode(_KEY.sign(timestamp.encode() + body, ECDSA(SHA256()))).decode()
    return {
        "x-twilio-email-event-webhook-timestamp": timestamp,
        "x-twilio-email-event-webhook-signature": signature,
        "content-type": "application/json",
    }


def _fill_spool(data: str, hook: Hook, count: int) -> Path:
    """Write a spool of SendGrid's requests, as the server does, and return its folder."""
    spool = Path(data) / "spool"
    spool.mkdir(mode=0o700, exist_ok=True)
    now = Instant(time.time_ns() // 10**6 - count)
    segment, size = 1, 0
    file = (spool / f"{segment:012}-0-0{SUFFIX}").open("wb")
    for number, body in enumerate(_bodies(count)):
        received = Instant(now + number)
        request = CapturedRequest(
            account_id="default",
            hook_id=hook.hook_id,
            provider="sendgrid",
            received_time=received,
            headers={},
            body=body,
        )
        size += file.write(encode_record(encode_request(request), received))
        if size >= _SEGMENT_BYTES:
            file.close()
            segment, size = segment + 1, 0
            file = (spool / f"{segment:012}-0-0{SUFFIX}").open("wb")
    file.close()
    return spool


def _accept_command(_data: str, port: int) -> list[str]:
    return granian("bench.baselines.accept:application", port)


def _measure_posts(
    command: Callable[[str, int], list[str]], data: str, path: str, seconds: float, connections: int = _CLIENTS
) -> Load:
    port = find_free_port()
    with server(command(data, port), port, {"RAPPORT_LIMITS": "off", "RAPPORT_DATA": data}):
        return measure_load(port, "webhooks.lua", seconds=seconds, connections=connections, arguments=(path,))
