"""Webhooks of a running server: what providers send is on the contacts' pages soon after."""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from rapport.activity import ActivityType
from rapport.capture.event import Event
from rapport.capture.webhooks.provider import SecretProvider
from rapport.capture.webhooks.registry import PROVIDERS
from tests.helpers.api import ALL_ACTIVITY_TYPES, ApiClient, make_line
from tests.helpers.command import run_rapport
from tests.helpers.server import Server
from tests.helpers.webhook_payloads import ALAN, GRACE, SAMPLES, SHOP
from tests.helpers.webhook_signing import KEY, SETTINGS, STANDARD_KEY, ec_key, public_key, rsa_key, signed_request

pytestmark = pytest.mark.slow

KEYS = {
    "sendgrid": public_key(ec_key()),
    "postal": public_key(rsa_key()),
    "resend": STANDARD_KEY,
    "generic": STANDARD_KEY,
    "mailgun": KEY,
    "mailersend": KEY,
    "mandrill": KEY,
}


class MadeHook:
    """A hook of the running server."""

    def __init__(self, server: Server, account: str, provider: str, *options: str) -> None:
        self.server, self.account, self.provider = server, account, provider
        key = ["--key", KEYS[provider]] if provider in KEYS else []
        settings = [f"--set={name}={value}" for name, value in SETTINGS.get(provider, {}).items()]
        self.printed = self.run("create", provider, *key, *settings, *options)
        [url] = re.findall(rf"/in/{provider}/\S+(?=\n)", self.printed.partition("\n\n1.")[0] + "\n")
        self.path = url.strip()
        self.hook_id = self.path.rpartition("/")[2].partition(".")[0]

    def run(self, command: str, *arguments: str, stdin: bytes = b"", code: int = 0) -> str:
        """Run `rapport hook`."""
        options = ["--data", self.server.data, "--account", self.account]
        return run_rapport("hook", command, *options, *arguments, stdin=stdin, code=code).stdout

    def capture(self, command: str) -> str:
        """Run `rapport capture`."""
        options = ["--data", self.server.data, "--account", self.account]
        environment = {"RAPPORT_SPOOL": str(self.server.log.parent / "spool")}
        return run_rapport("capture", command, *options, environment=environment).stdout

    def post(self, *payloads: object, **changes: Any) -> httpx.Response:  # noqa: ANN401 - any argument of httpx
        """Send a request as the provider does."""
        now = time.time_ns() // 1_000_000
        request = signed_request(self.provider, *payloads, now=now)
        headers = {name: value for name, value in request.headers.items() if name != "authorization"}
        arguments = {"content": request.body, "headers": headers, **changes}
        return httpx.post(self.server.url + self.path, timeout=30, **arguments)


@pytest.fixture
def make_hook(server: Server, account: str, client: ApiClient) -> Callable[..., MadeHook]:
    return lambda provider, *options: MadeHook(server, account, provider, *options)


T = TypeVar("T")


def wait_for(condition: Callable[[], T | None]) -> T:
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        results = condition()
        if results:
            return results
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def contacts(client: ApiClient, address: str = GRACE) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = client.get("/v3/contacts", params={"email": address, "status": "all"}).json()[
        "contacts"
    ]
    return results


def history(client: ApiClient, address: str = GRACE) -> list[dict[str, Any]]:
    return [
        activity
        for contact in contacts(client, address)
        for page in client.walk(contact["contact_id"], f"tracking_activity_type={ALL_ACTIVITY_TYPES}")
        for activity in page
    ]


def page_of(client: ApiClient, contact_id: str, activity_type: str) -> list[dict[str, Any]]:
    """The contact's activities of a type; none while there is no such contact."""
    response = client.page(contact_id, tracking_activity_type=activity_type)
    return list(response.json()["tracking_activities"]) if response.status_code == httpx.codes.OK else []


def sample(provider: str, name: str) -> dict[str, Any]:
    return next(sample.payload for sample in SAMPLES if (sample.provider, sample.name) == (provider, name))


def expect_device_type(event: Event) -> str | None:
    """The payloads name one phone, and machines."""
    if event.machine is not None:
        return "other"
    return None if event.user_agent is None else "mobile"


SECRETS = sorted(name for name, provider in PROVIDERS.items() if isinstance(provider, SecretProvider))
SIGNED = ["generic", "mailersend", "mailgun", "postal", "resend", "sendgrid"]


@pytest.mark.parametrize("provider", [*SECRETS, *SIGNED])
def test_webhook_events_are_recorded_once(client: ApiClient, make_hook: Callable[..., MadeHook], provider: str) -> None:
    hook = make_hook(provider, "--set=campaign_activity=constant:spring")
    own = [sample for sample in SAMPLES if sample.provider == provider and sample.expected.get("recipient", "") == ""]
    for _ in range(2):
        for each in own:
            response = hook.post(each.payload)
            assert (response.status_code, response.content) == (200, b"")
    read = [
        event
        for each in own
        for item in PROVIDERS[provider].split(signed_request(provider, each.payload))
        for event in PROVIDERS[provider].read(item, SETTINGS.get(provider, {}))
    ]
    events = {(event.event_id, event.type) for event in read if event.type is not None}
    wait_for(lambda: len(history(client)) >= len(events))
    time.sleep(0.3)
    assert len(history(client)) == len(events)
    assert len(contacts(client)) == 1
    # The first of several with one identity is recorded.
    opens = {event.event_id: event for event in reversed(read) if event.type is ActivityType.EM_OPENS}
    devices = [row.get("device_type") for page in client.walk_tracking("spring", "opens", "limit=500") for row in page]
    assert Counter(devices) == Counter(map(expect_device_type, opens.values()))
    assert "Everything that was captured is matched." in hook.capture("status")
    assert "Spool: 0 bytes in" in hook.capture("status")


@pytest.mark.parametrize("provider", [*SECRETS, *SIGNED])
def test_unauthenticated_request_is_rejected(
    server: Server, client: ApiClient, make_hook: Callable[..., MadeHook], provider: str
) -> None:
    hook = make_hook(provider)
    payload = next(sample.payload for sample in SAMPLES if sample.provider == provider)
    status = PROVIDERS[provider].refused_status
    if provider in SECRETS:
        hook.path = hook.path.partition(".")[0]
        assert hook.post(payload).status_code == status
        hook.path += ".wrong"
    else:
        assert hook.post(payload, headers={}).status_code in {status, 200 if provider == "mailgun" else status}
    body = json.dumps({"signature": {}, "event-data": payload}).encode() + b" "
    assert hook.post(payload, content=body).status_code == status
    wait_for(lambda: "refused" in hook.run("list"))
    assert KEYS.get(provider, "x" * 99) not in hook.run("list")


def test_unknown_hook_paths_return_404(server: Server, make_hook: Callable[..., MadeHook]) -> None:
    hook = make_hook("postmark")
    secret = hook.path.partition(".")[2]
    for path in (
        "/in/postmark/nope",
        f"/in/sendgrid/{hook.hook_id}.{secret}",
        f"/in/nope/{hook.hook_id}.{secret}",
        "/in/x",
    ):
        assert httpx.post(server.url + path, content=b"{}").status_code == 404
    assert httpx.head(server.url + hook.path).status_code == 200
    assert httpx.get(server.url + hook.path).status_code == 405


def test_oversized_bodies_are_rejected(make_hook: Callable[..., MadeHook]) -> None:
    hook = make_hook("postmark")
    assert hook.post({}, content=b" " * (1024 * 1024 + 1)).status_code == 413
    large = json.dumps(sample("postmark", "open") | {"Content": "x" * 900_000}).encode()
    assert hook.post({}, content=large).status_code == 200


def test_compressed_and_odd_bodies_are_kept_with_their_reason(
    client: ApiClient, make_hook: Callable[..., MadeHook]
) -> None:
    hook = make_hook("postmark")
    for body in (b"", b"\x1f\x8b\x08\x00", b"{", b"\xff" * 10, b"[1, 2]"):
        assert hook.post({}, content=body, headers={"content-encoding": "gzip"}).status_code == 200
    wait_for(lambda: hook.capture("unmatched").count("unreadable") == 6)


def test_unmatched_events_are_matched_after_rule_change(client: ApiClient, make_hook: Callable[..., MadeHook]) -> None:
    hook = make_hook("sparkpost", "--set=campaign_activity=metadata:letter")
    hook.post(*(sample.payload for sample in SAMPLES if sample.provider == "sparkpost"))
    wait_for(lambda: ": no campaign activity" in hook.capture("status"))
    assert history(client) == []
    assert GRACE in hook.capture("unmatched")
    hook.run("update", hook.hook_id, "--set", "campaign_activity=tag")
    assert re.fullmatch(r"Matched (\d+) of \1 unmatched items\.\n", hook.capture("retry"))
    assert {activity["campaign_activity_id"] for activity in history(client)} == {"spring"}
    assert "Everything that was captured is matched." in hook.capture("status")


def test_metadata_overrides_contact_and_campaign_activity(
    client: ApiClient, make_hook: Callable[..., MadeHook]
) -> None:
    hook = make_hook("sendgrid")
    payload = sample("sendgrid", "open") | {"rapport_contact_id": "c-7", "rapport_campaign_activity_id": "letter-7"}
    hook.post(payload)
    page = wait_for(lambda: page_of(client, "c-7", "em_opens"))
    assert [activity["campaign_activity_id"] for activity in page] == ["letter-7"]
    assert contacts(client)[0]["contact_id"] == "c-7"


def test_event_without_recipient_is_matched_by_its_send(client: ApiClient, make_hook: Callable[..., MadeHook]) -> None:
    hook = make_hook("resend")
    hook.post(sample("resend", "sent"))
    wait_for(lambda: history(client))
    opened = sample("resend", "opened")
    hook.post(opened | {"data": opened["data"] | {"to": [GRACE, ALAN], "headers": [], "tags": {}}})
    wait_for(lambda: len(history(client)) == 2)
    assert {activity["campaign_activity_id"] for activity in history(client)} == {"spring"}


@pytest.mark.parametrize("contact_id", ["c-9", "Grace B. Hopper"])
def test_event_is_matched_by_message_id_of_send(
    client: ApiClient, make_hook: Callable[..., MadeHook], contact_id: str
) -> None:
    payload = sample("postmark", "open") | {"Tag": None, "Metadata": {}}
    sent = make_line(contact_id=contact_id, campaign_activity_id="autumn", tracking_activity_type="em_sends")
    client.record({**sent, "email_address": GRACE, "event_id": payload["MessageID"]})
    make_hook("postmark").post(payload)
    wait_for(lambda: len(history(client)) == 2)
    assert {activity["campaign_activity_id"] for activity in history(client)} == {"autumn"}


def test_known_contact_is_found_by_email_in_any_case(client: ApiClient, make_hook: Callable[..., MadeHook]) -> None:
    client.record({**make_line(contact_id="c-1"), "email_address": GRACE.upper()})
    make_hook("mailjet").post(sample("mailjet", "click") | {"Payload": ""})
    clicks = wait_for(lambda: page_of(client, "c-1", "em_clicks"))
    assert len(clicks) == 1
    assert contacts(client)[0]["email_address"]["address"] == GRACE.upper()


def test_complaint_unsubscribes_contact(client: ApiClient, make_hook: Callable[..., MadeHook]) -> None:
    hook = make_hook("mailjet")
    hook.post(sample("mailjet", "open"))
    wait_for(lambda: contacts(client))
    hook.post(sample("mailjet", "spam"))
    wait_for(lambda: contacts(client)[0]["email_address"].get("permission_to_send") == "unsubscribed")


def test_mailgun_signature_is_accepted_once(client: ApiClient, make_hook: Callable[..., MadeHook]) -> None:
    hook = make_hook("mailgun", "--set=campaign_activity=constant:spring")
    now = time.time_ns() // 1_000_000
    request = signed_request("mailgun", sample("mailgun", "opened"), now=now)
    forged = json.loads(request.body)
    forged["event-data"] = sample("mailgun", "complained")
    for body in (request.body, request.body, json.dumps(forged).encode()):
        assert hook.post({}, content=body, headers={}).status_code == 200
    wait_for(lambda: "reused token" in hook.capture("unmatched"))
    assert [activity["tracking_activity_type"] for activity in history(client)] == ["em_opens"]


def test_erased_contact_leaves_nothing_among_captured_data(
    server: Server, client: ApiClient, make_hook: Callable[..., MadeHook]
) -> None:
    hook = make_hook("sparkpost")
    hook.post(sample("sparkpost", "delivery"), sample("sparkpost", "open"))
    unknown = sample("sparkpost", "click")["msys"]["track_event"] | {
        "campaign_id": "",
        "message_id": "other",
        "rcpt_meta": {},
    }
    hook.post({"msys": {"track_event": unknown}})
    wait_for(lambda: GRACE in hook.capture("unmatched"))
    [contact] = contacts(client)
    run_rapport("erase", "--data", server.data, "--account", hook.account, contact["contact_id"], stdin=b"y\n")
    assert GRACE not in hook.capture("unmatched")


def test_hooks_of_other_account_are_inaccessible(
    server: Server, account: str, client: ApiClient, make_hook: Callable[..., MadeHook]
) -> None:
    hook = make_hook("postmark")
    other = ["--data", server.data, "--account", f"{account}-2"]
    assert hook.hook_id not in run_rapport("hook", "list", *other).stdout
    assert "there is no hook" in run_rapport("hook", "delete", *other, hook.hook_id, code=1).stderr
    assert (
        "there is no hook"
        in run_rapport("hook", "update", *other, hook.hook_id, "--set", "campaign_activity=tag", code=1).stderr
    )


def test_deleted_hook_returns_404(client: ApiClient, make_hook: Callable[..., MadeHook]) -> None:
    hook = make_hook("postmark")
    assert hook.post(sample("postmark", "open")).status_code == 200
    hook.run("delete", hook.hook_id)
    wait_for(lambda: hook.post(sample("postmark", "open")).status_code == 404)


def test_hook_test_explains_signature_and_shows_activities(
    client: ApiClient, make_hook: Callable[..., MadeHook]
) -> None:
    hook = make_hook("sendgrid")
    request = signed_request("sendgrid", sample("sendgrid", "click"), now=time.time_ns() // 1_000_000)
    headers = [option for name, value in request.headers.items() for option in ("--header", f"{name}: {value}")]
    shown = hook.run("test", *headers, "sendgrid", stdin=request.body)
    assert shown.startswith("Authentic.\n")
    assert f'"link_url": "{SHOP}"' in shown
    shown = hook.run("test", *headers, hook.hook_id, stdin=request.body.rstrip(), code=1)
    assert "line break at the end (CR LF) was removed (byte" in shown
    assert "Unreadable" in hook.run("test", "sendgrid", stdin=b"{", code=1)
    assert history(client) == []


def test_metrics_count_requests(server: Server, client: ApiClient, make_hook: Callable[..., MadeHook]) -> None:
    hook = make_hook("brevo")
    hook.post(sample("brevo", "opened"))
    wait_for(
        lambda: 'rapport_captured_requests_total{outcome="recorded",provider="brevo"}' in client.get("/metrics").text
    )
    assert "rapport_spool_bytes" in client.get("/metrics").text


@pytest.fixture
def lonely(location: str, tmp_path: Path) -> Iterator[Server]:
    with Server(location, environment={"RAPPORT_SPOOL": str(tmp_path / "spool"), "RAPPORT_SPOOL_MB": "1"}) as running:
        yield running


def numbered(number: int) -> dict[str, Any]:
    payload = sample("sparkpost", "open")["msys"]["track_event"]
    return {"msys": {"track_event": payload | {"event_id": str(number)}}}


def test_several_workers_record_everything_once(location: str, tmp_path: Path) -> None:
    environment = {"RAPPORT_SPOOL": str(tmp_path / "spool")}
    with Server(location, environment=environment, workers=2) as server, server.client("default") as client:
        hook = MadeHook(server, "default", "sparkpost")
        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(lambda number: hook.post(numbered(number)).status_code, range(100)))
        assert statuses == [200] * 100
        wait_for(lambda: len(history(client)) == 100)


def test_full_spool_rejects_with_retry_after(lonely: Server) -> None:
    with lonely.client("default"):
        brevo, postmark = MadeHook(lonely, "default", "brevo"), MadeHook(lonely, "default", "postmark")
        large = json.dumps(sample("brevo", "opened") | {"x": "y" * 1_000_000}).encode()
        assert brevo.post({}, content=large).status_code == 429
        assert postmark.post({}, content=large[:-1_000]).status_code in {200, 503}
