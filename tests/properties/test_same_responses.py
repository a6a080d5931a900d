"""Every engine gives the same responses: the same random history, sent to a server of each, is returned byte for byte.

Only values that differ between servers by design are masked: cursors, form tokens, the server's address, and the time
of the response.
"""

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import pytest

from rapport.auth.scope import Scope
from rapport.cli.command import now
from tests.helpers.api import ApiClient
from tests.helpers.command import run_rapport
from tests.helpers.openapi import get_openapi
from tests.helpers.postgres import CITUS_URL, Databases
from tests.helpers.server import Server

TYPES: Final = (
    *("em_sends", "em_sends", "em_opens", "em_opens", "em_clicks", "em_clicks", "em_bounces", "em_optouts"),
    *("em_forwards", "p_contact_open", "p_contact_click", "p_contact_add", "p_contact_update"),
)
# Ids whose order differs by bytes, case-insensitively, by language and by digest.
CONTACTS: Final = ("b", "B", "a", "A", "_", "-", "9", "10", "Z1", "z-1", "aa", "c1")
CAMPAIGN_ACTIVITIES: Final = ("m-1", "m_1", "M1", "m0", "z", "A9", "p1", "p2")
CAMPAIGNS: Final = ("c-1", "C1", "c_1", "z")
NAMES: Final = ("Ada", "ada", "ADA", "Änne", "änne", "Zoë", "Åsa", "O'Brien", "x & <y>", "李", "de la Cruz")
DOMAINS: Final = ("example.com", "Example.com", "EXAMPLE.org")
URLS: Final = ("https://e.example/0", "https://e.example/1", "https://E.example/ä?b=1&c=2")
URL_IDS: Final = ("17", "18", "x", "0", "2012025726318855022")
BOUNCE_CODES: Final = "BDFSVXZ"
MAX_PAGES: Final = 200

NOT_COMPARED: Final = {
    "/track/v1/stream",  # doesn't end
    "/metrics",  # differs by process
    "/healthz",
    "/readyz",
    "/.well-known/jwks.json",  # differs by server
    "/schema",
    "/schema/openapi.json",
    "/v3/account/user/privileges",  # differs by token
}


@pytest.fixture(scope="module")
def servers(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """A server for each engine; SQLite comes first."""
    with ExitStack() as stack:
        places = [
            str(tmp_path_factory.mktemp("same") / "data"),
            stack.enter_context(Databases(postgres_url).migrated_schema()),
        ]
        if CITUS_URL:
            places.append(stack.enter_context(Databases(CITUS_URL, citus=True).migrated_schema()))
        yield [stack.enter_context(Server(place)) for place in places]


class History:
    """Random requests that change data, with a few ids, names, links and times."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now = now() // 60_000 * 60_000
        self.times = [
            *(1_767_225_600_000 + after for after in (0, 0, 1, 999, 1_000, 3_599_999, 86_400_000)),
            *(self.now - 3_600_000, self.now - 86_400_000 * 3),
            # Activities after the erasure, which happens now.
            *(self.now + 7_200_000, self.now + 7_200_001),
        ]

    def maybe(self, line: dict[str, Any], field: str, values: Any, share: float = 0.4) -> None:  # noqa: ANN401
        if self.rng.random() < share:
            line[field] = self.rng.choice(values)

    def person(self, line: dict[str, Any], share: float = 0.4) -> None:
        self.maybe(line, "email_address", [f"{self.rng.choice('aAbB')}@{domain}" for domain in DOMAINS], share)
        self.maybe(line, "first_name", NAMES, share / 2)
        self.maybe(line, "last_name", NAMES, share / 2)

    def activity(self) -> dict[str, Any]:
        activity_type = self.rng.choice(TYPES)
        names = [name for name in CAMPAIGN_ACTIVITIES if name.startswith("p") == activity_type.startswith("p_")]
        line: dict[str, Any] = {
            "contact_id": self.rng.choice(CONTACTS),
            "campaign_activity_id": self.rng.choice(names if self.rng.random() < 0.9 else CAMPAIGN_ACTIVITIES),
            "tracking_activity_type": activity_type,
            "created_time": self.rng.choice(self.times),
        }
        self.person(line)
        self.maybe(line, "campaign_activity_name", NAMES, 0.2)
        self.maybe(line, "campaign_id", CAMPAIGNS)
        self.maybe(line, "event_id", [f"e{number}" for number in range(30)], 0.3)
        if activity_type.endswith(("clicks", "click")):
            self.maybe(line, "link_url", URLS, 0.8)
            self.maybe(line, "url_id", URL_IDS)
        if activity_type not in {"em_sends", "em_bounces"}:
            self.maybe(line, "device_type", ["computer", "mobile", "tablet", "other"])
        if activity_type == "em_bounces":
            self.maybe(line, "bounce_code", BOUNCE_CODES, 0.8)
        if activity_type == "em_optouts":
            self.maybe(line, "opt_out_reason", ["Too many\nemails", "ü"])
        return line

    def contact(self) -> dict[str, Any]:
        line: dict[str, Any] = {"contact_id": self.rng.choice(CONTACTS)}
        self.person(line, 0.6)
        line["updated_at"] = self.rng.choice(self.times)
        permissions = ["explicit", "implicit", "pending_confirmation", "unsubscribed", "temp_hold", "not_set"]
        self.maybe(line, "permission_to_send", permissions, 0.6)
        self.maybe(line, "created_at", self.times)
        self.maybe(line, "deleted_at", self.times, 0.1)
        return line

    def campaign(self) -> dict[str, Any]:
        line: dict[str, Any] = {"campaign_id": self.rng.choice(CAMPAIGNS), "updated_at": self.rng.choice(self.times)}
        self.maybe(line, "campaign_name", NAMES)
        self.maybe(line, "current_status", ["DRAFT", "DONE", "EXECUTING", "REMOVED"])
        self.maybe(line, "created_at", self.times)
        activities = []
        for campaign_activity_id in self.rng.sample(CAMPAIGN_ACTIVITIES, self.rng.randrange(4)):
            activity: dict[str, Any] = {"campaign_activity_id": campaign_activity_id}
            self.maybe(activity, "campaign_activity_name", NAMES)
            self.maybe(activity, "subject", NAMES)
            self.maybe(activity, "role", ["primary_email", "permalink", "resend"])
            links: list[dict[str, Any]] = []
            for _ in range(self.rng.randrange(4)):
                link: dict[str, Any] = {"link_url": self.rng.choice(URLS)}
                self.maybe(link, "url_id", URL_IDS)
                links.append(link)
            if links:
                activity["links"] = links
            activities.append(activity)
        if activities:
            line["campaign_activities"] = activities
        return line

    def steps(self) -> Iterator[Callable[[ApiClient], httpx.Response]]:
        """Yield the requests in order."""
        for _ in range(self.rng.randrange(6, 16)):
            step = self.rng.choice(("activities",) * 5 + ("contacts", "contacts", "campaigns", "erase"))
            if step == "erase":
                yield _delete(f"/track/v1/contacts/{self.rng.choice(CONTACTS)}")
                continue
            make = {"activities": self.activity, "contacts": self.contact, "campaigns": self.campaign}[step]
            size = self.rng.choice((1, 3, 20, 60, 200)) if step == "activities" else self.rng.randrange(1, 8)
            yield _post(f"/track/v1/{step}", [make() for _ in range(size)])


def _delete(path: str) -> Callable[[ApiClient], httpx.Response]:
    return lambda client: client.delete(path)


def _post(path: str, lines: list[dict[str, Any]]) -> Callable[[ApiClient], httpx.Response]:
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    headers = {"content-type": "application/x-ndjson"}
    return lambda client: client.post(path, content=body, headers=headers)


class Questions:
    """Random requests that read data, generated from the OpenAPI document."""

    def __init__(self, rng: random.Random, times: list[int], limits: Sequence[int] = (1, 2, 3, 7, 50)) -> None:
        self._rng = rng
        self._times = times
        self._limits = limits

    def hrefs(self, each: int) -> Iterator[str]:
        """Every GET route that is compared, `each` times with other parameters."""
        for path, operations in get_openapi()["paths"].items():
            if "get" in operations and path not in NOT_COMPARED and not path.startswith(("/oauth2/", "/.well-known/")):
                for _ in range(each):
                    yield self._href(path, operations["get"].get("parameters", ()))

    def _href(self, path: str, parameters: list[dict[str, Any]]) -> str:
        query: list[tuple[str, str]] = []
        # Contradictory filters give an error, which must be the same too, but shouldn't be frequent.
        share = self._rng.choice((0.0, 0.3, 0.6))
        types = self._rng.choice(("tracking_activity_type", "tracking_activities_list"))
        for parameter in parameters:
            name, schema = parameter["name"], parameter["schema"]
            if parameter["in"] == "path":
                path = path.replace(f"{{{name}}}", self._id(name))
            elif name == "format":
                # Parquet is compared by the round trips of exports.
                query.append((name, self._rng.choice(("ndjson", "csv"))))
            elif name in {"tracking_activity_type", "tracking_activities_list"}:
                if name == types:
                    query += [(name, activity_type) for activity_type in self._rng.sample(schema["items"]["enum"], 5)]
            elif name not in {"next", "cursor"} and (parameter.get("required") or self._rng.random() < share):
                query += [(name, value) for value in self._values(name, schema)]
            elif name == "limit":
                query.append((name, str(self._rng.choice(self._limits))))
        return f"{path}?{urlencode(query)}" if query else path

    def _id(self, name: str) -> str:
        if name == "contact_id":
            return self._rng.choice((*CONTACTS, "nobody"))
        ids = CAMPAIGN_ACTIVITIES if "activity" in name else CAMPAIGNS
        if name.endswith("ids"):
            return ",".join(self._rng.sample(ids, self._rng.randrange(1, 4)))
        return self._rng.choice((*ids, "none"))

    def _values(self, name: str, schema: dict[str, Any]) -> list[str]:
        rng = self._rng
        if schema.get("type") == "array":
            return rng.sample(schema["items"]["enum"], rng.randrange(1, 3))
        if "anyOf" in schema:
            time = datetime.fromtimestamp(rng.choice(self._times) / 1000, UTC)
            time += timedelta(milliseconds=rng.choice((-1, 0, 1)))
            return [time.isoformat(timespec="milliseconds").replace("+00:00", "Z")]
        if schema.get("type") == "boolean":
            return [rng.choice(("true", "false"))]
        values = {
            "limit": [str(limit) for limit in self._limits],
            "url_id": URL_IDS,
            "contact_id": CONTACTS,
            "email": [f"{name}@{domain}" for name in "aAbB" for domain in DOMAINS],
            "sequence_ids": ("1", "1,2"),
            "lists": ("l1", "l1,l2"),
            "tags": ("t1", "t1,t2"),
            "segment_id": ("14",),
            "name": ("News",),
            "email_address": ("ada@example.com",),
            "v2_email_campaign_ids": ("1", "1,2"),
            "contacts_filter": ("a", "EXAMPLE", "@", "Ada", "o'b", "de la"),
        }
        return [rng.choice(schema.get("enum") or values[name])]

    def pages(self) -> Iterator[str]:
        """Return the paths of web pages."""
        for contact_id in CONTACTS:
            yield f"/contacts/{contact_id}"
            yield f"/contacts/{contact_id}?type={self._rng.choice(TYPES)}&after=2026-01-01&before=2026-01-02"
            yield f"/contacts/{contact_id}/export"
        for campaign_activity_id in CAMPAIGN_ACTIVITIES:
            yield f"/activities/{campaign_activity_id}"
            for report in ("sends", "opens", "clicks", "bounces", "optouts", "forwards"):
                yield f"/activities/{campaign_activity_id}/{report}"
        yield from ("/account", "/")
        texts = (
            "a",
            "A",
            "ada",
            "ADA",
            "ä",
            "Änne",
            "b@",
            "@",
            "m",
            "M",
            "z",
            "o'b",
            "de la",
            "ada ada",
            "李",
            "_",
            "1",
        )
        for text in texts:
            yield f"/?{urlencode({'q': text})}"


CURSOR: Final = re.compile(r"((?:next|cursor)=)[^\"&]+")
# The time of the request.
REFRESHED: Final = re.compile(r'("last_refresh_time":")[^"]+')
MASKS: Final = (
    (re.compile(r'(name="form_token" value=")[^"]+'), r"\1"),
    (re.compile(r"127\.0\.0\.1:\d+"), "ADDRESS"),
    (re.compile(r"cursor=[^\"]+"), "cursor=PLACE"),
)


def read_api_pages(client: ApiClient, href: str) -> Iterator[tuple[int, str]]:
    """Return the status and the body of every page, with cursors masked."""
    for _ in range(MAX_PAGES):
        response = client.get(href)
        yield response.status_code, REFRESHED.sub(r"\1…", CURSOR.sub(r"\1…", response.text))
        is_json = response.headers.get("content-type", "").startswith("application/json")
        body = response.json() if response.status_code == httpx.codes.OK and is_json else None
        # Send histories and the like are plain lists without pages.
        links = body.get("_links") if isinstance(body, dict) else None
        if not links or not links.get("next"):
            return
        href = links["next"]["href"]
    raise AssertionError(f"{href} has more than {MAX_PAGES} pages")


def read_web_pages(browser: httpx.Client, href: str) -> Iterator[tuple[int, str]]:
    """Return the status and the HTML of a web page and of the older pages it links to."""
    path = href.partition("?")[0]
    for _ in range(MAX_PAGES):
        response = browser.get(href)
        text = response.text
        for pattern, mask in MASKS:
            text = pattern.sub(mask, text)
        yield response.status_code, text
        older = re.search(r'class="older".*?<a href="([^"]+)"', response.text)
        if older is None:
            return
        href = older[1].replace("&amp;", "&")
        href = href if href.startswith("/") else f"{path}{href}"
    raise AssertionError(f"{href} has more than {MAX_PAGES} pages")


def check_equal(received: list[Any], what: str) -> None:
    """Compare the responses of each engine with those of SQLite."""
    for other in received[1:]:
        assert other == received[0], what


@pytest.mark.parametrize("seed", range(6))
def test_responses_are_identical_on_every_engine(servers: list[Server], seed: int) -> None:
    account = f"same-{seed}"
    history = History(seed)
    with ExitStack() as stack:
        callers = [stack.enter_context(server.client(account, frozenset(Scope))) for server in servers]
        for number, step in enumerate(history.steps()):
            responses = [step(client) for client in callers]
            check_equal([(response.status_code, response.text) for response in responses], f"step {number}")
        questions = Questions(history.rng, history.times)
        for href in questions.hrefs(12):
            check_equal([list(read_api_pages(client, href)) for client in callers], href)
        browsers = []
        zone = history.rng.choice(("UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"))
        for server, client in zip(servers, callers, strict=True):
            browser = stack.enter_context(httpx.Client(base_url=server.url, timeout=60))
            browser.post("/sign-in", data={"token": client.token})
            browser.cookies.set("rapport_zone", zone)
            browsers.append(browser)
        for href in questions.pages():
            check_equal([list(read_web_pages(browser, href)) for browser in browsers], href)


def export_contact(server: Server, account: str, contact_id: str, what: str) -> str:
    return run_rapport("export", contact_id, "--type", what, "--account", account, "--data", server.data).stdout


def test_large_imports_and_exports_are_identical_on_every_engine(servers: list[Server], tmp_path: Path) -> None:
    history = History(100)
    for number, size in enumerate((7_000, 6_000, 600)):
        lines = [history.activity() for _ in range(size)]
        for line in lines:
            # More contacts, so that some files contain new activities only.
            line["created_time"] += history.rng.randrange(1_000_000)
        (tmp_path / f"{number}.ndjson").write_text("\n".join(map(json.dumps, lines)))
    contacts = tmp_path / "contacts.ndjson"
    contacts.write_text("\n".join(json.dumps(history.contact()) for _ in range(30)))
    account = "same-import"
    for server in servers:
        where = ("--account", account, "--data", server.data)
        for number in range(3):
            run_rapport("import", str(tmp_path / f"{number}.ndjson"), *where)
        run_rapport("import", str(contacts), "--type", "contacts", *where)
    for contact_id in CONTACTS[:4]:
        for what in ("activities", "contacts"):
            check_equal([export_contact(server, account, contact_id, what) for server in servers], contact_id)
    with ExitStack() as stack:
        callers = [stack.enter_context(server.client(account, frozenset(Scope))) for server in servers]
        for href in Questions(history.rng, history.times, limits=(97, 100)).hrefs(2):
            check_equal([list(read_api_pages(client, href)) for client in callers], href)
