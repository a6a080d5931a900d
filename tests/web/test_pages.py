"""The pages: access, content, and escaping of recorded data."""

import re
from html import unescape
from pathlib import Path
from urllib.parse import parse_qsl, quote

import httpx
import pytest

from rapport.app import build
from rapport.auth.scope import Role, Scope
from rapport.auth.sign_in_codes import create_code
from rapport.auth.token import Principal
from rapport.settings import Settings
from rapport.store.engines import open_store
from rapport.web.sessions import COOKIE, now
from tests.helpers.api import ApiClient, make_line
from tests.helpers.command import run_rapport
from tests.helpers.server import Server
from tests.helpers.sql import execute_sql
from tests.helpers.web import API_PREFIXES, MALICIOUS_HTML, get_form_token, open_browser, open_browser_by_link

SHOWN = ("/", "/account", "/contacts/c1", "/activities/ca-1", "/activities/ca-1/sends")
PAGES = (*SHOWN, "/contacts/c1/export", "/activities/ca-1/sends/export")
OPEN = {
    "/forgotten-password",
    "/sign-in",
    "/sign-in/code",
    "/sign-in/password",
    "/sign-in/{code}",
    "/invitations/{code}",
    "/static/{path}",
}
OF_SESSIONS = {
    "/",
    "/account",
    "/activate",
    "/applications",
    "/applications/{client_id}/delete",
    "/applications/{client_id}/secret",
    "/oauth2/default/v1/authorize",
    "/oauth2/default/v1/authorize/decision",
    "/contacts/{contact_id}",
    "/contacts/{contact_id}/erase",
    "/contacts/{contact_id}/export",
    "/activities/{campaign_activity_id}",
    "/activities/{campaign_activity_id}/{report}",
    "/activities/{campaign_activity_id}/{report}/export",
    "/connect",
    "/connect/page-token",
    "/connect/tokens",
    "/connect/tokens/{token_id}/revoke",
    "/hooks",
    "/hooks/{hook_id}/delete",
    "/hooks/{hook_id}/test",
    "/hooks/unmatched",
    "/hooks/unmatched/retry",
    "/live",
    "/people",
    "/people/sessions/{session_id}/end",
    "/people/{user_id}/link",
    "/people/{user_id}/remove",
    "/people/{user_id}/role",
    "/people/{user_id}/totp",
    "/profile",
    "/profile/applications/{client_id}/revoke",
    "/profile/password",
    "/profile/sessions/{session_id}/end",
    "/profile/totp",
    "/profile/totp/recovery-codes",
    "/profile/totp/remove",
    "/sign-out",
}


def get_header(page: httpx.Response) -> str:
    return re.search("<header>.*?</header>", page.text.replace('class="mark" ', ""), re.DOTALL)[0]  # type: ignore[index]


def test_every_page_is_public_or_requires_session() -> None:
    paths = {path for path in build(Settings(data="/nowhere")).paths if not path.startswith(API_PREFIXES)}
    assert paths == OPEN | OF_SESSIONS


@pytest.mark.parametrize("path", PAGES)
def test_page_without_session_redirects_to_sign_in(server: Server, client: ApiClient, path: str) -> None:
    client.record(make_line("c1", "em_sends"))
    with httpx.Client(base_url=server.url) as stranger:
        for cookie in ("", "x", "é".encode().decode("latin-1"), "A" * 5_000):
            response = stranger.get(path, headers={"cookie": f"{COOKIE}={cookie}".encode()})
            assert response.status_code == 303
            location, _, query = response.headers["location"].partition("?")
            assert location == "/sign-in"
            assert dict(parse_qsl(query)).get("next", "/") == path


async def test_sign_in_link_works_once(server: Server, account: str, client: ApiClient) -> None:
    client.record(make_line("c1", "em_sends"))
    principal = Principal(account, "serve", "serve", Role.OWNER, frozenset(Scope))

    async with open_store(Settings(data=server.data)) as store:
        code = await create_code(store.secrets, principal, now())
    with httpx.Client(base_url=server.url) as first, httpx.Client(base_url=server.url) as second:
        response = first.post(f"/sign-in/{code}")
        assert response.status_code == 303
        cookie = response.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert first.get("/contacts/c1").status_code == 200
        assert second.post(f"/sign-in/{code}").status_code == 401
        assert second.get("/").status_code == 303


def test_invalid_token_does_not_sign_in(server: Server) -> None:
    with httpx.Client(base_url=server.url) as stranger:
        for token in ("", "x.y.z", "A" * 9_000):
            response = stranger.post("/sign-in", data={"token": token})
            assert response.status_code == 401
            assert "rapport token create" in response.text
        assert not stranger.cookies


def test_session_is_not_a_token_and_is_bound_to_account(server: Server, account: str, client: ApiClient) -> None:
    client.record(make_line("c1", "em_sends"))
    with open_browser(server, account) as mine, open_browser(server, f"{account}-other") as other:
        assert mine.get("/contacts/c1").status_code == 200
        assert other.get("/contacts/c1").status_code == 404
        assert other.get("/activities/ca-1").status_code == 404
        assert mine.get("/v3/contacts").status_code == 401
        assert mine.get("/v3/contacts", headers={"authorization": f"Bearer {mine.cookies[COOKIE]}"}).status_code == 401


def test_campaign_creator_cannot_read_reports(server: Server, account: str, client: ApiClient) -> None:
    client.record(make_line("c1", "em_sends"))
    with open_browser(server, account, Role.CAMPAIGN_CREATOR) as creator:
        for path in PAGES:
            assert creator.get(path).status_code == 403
        assert re.findall('<a href="([^"]+)"', get_header(creator.get("/connect"))) == [
            "/connect",
            "/connect",
            "/schema",
            "/profile",
        ]


def test_navigation_lists_permitted_pages_only(server: Server, account: str) -> None:
    with open_browser(server, account) as owner:
        links = re.findall('<a href="([^"]+)"', get_header(owner.get("/connect")))
        assert links == ["/", "/", "/account", "/connect", "/schema", "/profile"]
        assert all(owner.get(link).status_code == 200 for link in links)
    with open_browser_by_link(server, account) as operator:
        links = re.findall('<a href="([^"]+)"', get_header(operator.get("/connect")))
        assert links == ["/", "/", "/account", "/connect", "/schema", "/people", "/profile"]
        assert all(operator.get(link).status_code == 200 for link in links)


def test_pages_have_strict_csp_and_are_not_cached(server: Server, account: str, client: ApiClient) -> None:
    client.record(make_line("c1", "em_sends"))
    with open_browser(server, account) as browser:
        for path in (*SHOWN, "/sign-in", "/contacts/nobody"):
            headers = browser.get(path).headers
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
            assert headers["cache-control"] == "no-store"
            assert headers["x-content-type-options"] == "nosniff"


def test_static_files_are_cached_until_content_changes(server: Server) -> None:
    with httpx.Client(base_url=server.url) as stranger:
        named = re.findall(r'"(/static/[^"]+)"', stranger.get("/sign-in").text)
        assert len(named) >= 3
        for address in named:
            response = stranger.get(address)
            assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
            bare = stranger.get(address.partition("?")[0], headers={"if-none-match": response.headers["etag"]})
            assert (bare.status_code, bare.content, bare.headers["cache-control"]) == (304, b"", "no-cache")
            assert stranger.get(f"{address}x").headers["cache-control"] == "no-cache"
        for path in ("nothing.css", "../static.py", "..%2Fstatic.py", "try.html", "", "/etc/passwd"):
            assert stranger.get(f"/static/{path}").status_code == 404


def test_page_fragment_redirects_to_sign_in_after_session_ends(server: Server) -> None:
    with httpx.Client(base_url=server.url) as stranger:
        response = stranger.get("/?q=a&part=1", headers={"hx-request": "true"})
        assert (response.status_code, response.headers["hx-redirect"], response.text) == (200, "/sign-in", "")
        current = {"hx-request": "true", "hx-current-url": f"{server.url}/contacts/c1?type=em_opens"}
        response = stranger.get("/contacts/c1?part=1", headers=current)
        assert response.headers["hx-redirect"] == "/sign-in?next=%2Fcontacts%2Fc1%3Ftype%3Dem_opens"


def test_recorded_html_is_escaped_everywhere(server: Server, account: str, client: ApiClient) -> None:
    who = {
        "email_address": f"{MALICIOUS_HTML}@example.com".replace(" ", ""),
        "first_name": MALICIOUS_HTML,
        "last_name": MALICIOUS_HTML,
    }
    client.record(
        make_line("c1", "em_sends", campaign_activity_name=MALICIOUS_HTML, **who),
        make_line("c1", "em_clicks", link_url=f"https://example.com/{MALICIOUS_HTML}", **who),
        make_line("c1", "em_optouts", opt_out_reason=MALICIOUS_HTML, **who),
    )
    with open_browser(server, account) as browser:
        for path in (*SHOWN, "/?q=%3Cscript", "/activities/ca-1/clicks", "/activities/ca-1/optouts"):
            text = browser.get(path).text
            assert MALICIOUS_HTML not in text
            assert MALICIOUS_HTML in unescape(text)


def test_timeline_pages_equal_api_pages(server: Server, account: str, client: ApiClient) -> None:
    times = [1_767_225_600_000 + 7_200_000 * number for number in range(130)]
    client.record(
        *(make_line("c1", activity_type, time) for time in times for activity_type in ("em_opens", "em_clicks"))
    )
    expected = [item["created_time"] for page in client.walk("c1", "tracking_activity_type=em_clicks") for item in page]
    with open_browser(server, account) as browser:
        seen: list[str] = []
        href: str | None = "/contacts/c1?type=em_clicks"
        while href:
            text = browser.get(href).text
            seen += re.findall(r'<time datetime="([^"]+)"', text)
            older = re.search(r'class="older".*><a href="([^"]+)"', text)
            href = unescape(older[1]) if older else None
        assert seen == expected
        assert browser.get("/contacts/c1?type=em_clicks&part=1").text.count("<li") == 100
        within = browser.get("/contacts/c1?after=2026-01-02&before=2026-01-02").text
        assert within.count("<time") == 24
        for bad in (
            "type=em_reads",
            "after=soon",
            "before=9999-12-31",
            "cursor=x",
            f"cursor={2**64}.1",
            f"cursor=1.{2**64}",
        ):
            assert browser.get(f"/contacts/c1?{bad}").status_code == 400
        for bad in ("x", f"{2**64}.c1.1", f"1.c1.{2**64}"):
            assert browser.get(f"/activities/ca-1/sends?cursor={bad}").status_code == 400


def test_days_are_in_browsers_zone(server: Server, account: str, client: ApiClient) -> None:
    times = ["2026-03-28T22:30:00.000Z", "2026-03-28T23:30:00.000Z", "2026-03-29T21:59:00.000Z", "2026-03-29T22:00:00Z"]
    client.record(*(make_line("c1", "em_opens", time) for time in times))

    def seen(zone: str, query: str = "") -> list[tuple[str, list[str]]]:
        text = browser.get(f"/contacts/c1{query}", headers={"cookie": f"{cookie}; rapport_zone={zone}"}).text
        days = re.split(r'<h2 class="day">', text)[1:]
        return [(day.partition("<")[0], re.findall(r'UTC">(\d\d:\d\d)</time>', day)) for day in days]

    with open_browser(server, account) as browser:
        cookie = f"{COOKIE}={browser.cookies[COOKIE]}"
        utc = [
            ("Sunday, 29 March 2026", ["22:00", "21:59"]),
            ("Saturday, 28 March 2026", ["23:30", "22:30"]),
        ]
        for unknown in ("", "Mars/Base", "../../etc/passwd", "Europe", "%00", "x" * 100):
            assert seen(unknown) == utc
        # The clocks there changed that night.
        assert seen("Europe/Berlin") == [
            ("Monday, 30 March 2026", ["00:00"]),
            ("Sunday, 29 March 2026", ["23:59", "00:30"]),
            ("Saturday, 28 March 2026", ["23:30"]),
        ]
        of_a_day = "?after=2026-03-29&before=2026-03-29"
        assert seen("Europe/Berlin", of_a_day) == [("Sunday, 29 March 2026", ["23:59", "00:30"])]
        text = browser.get(f"/contacts/c1{of_a_day}", headers={"cookie": f"{cookie}; rapport_zone=Asia/Kathmandu"}).text
        assert "created_after=2026-03-28T18:15:00.000Z&created_before=2026-03-29T18:14:59.999Z" in unescape(text)
        assert "2 activities" in text


def test_contact_calendar_counts_each_day_once(server: Server, account: str, client: ApiClient) -> None:
    recent = [now() - day * 86_400_000 for day in (0, 0, 1, 30, 30, 30, 200, 500)]
    client.record(*(make_line("c1", "em_opens", time, event_id=str(number)) for number, time in enumerate(recent)))
    with open_browser(server, account) as browser:
        text = browser.get("/contacts/c1").text
        assert "7 activities on 4 days in the past year" in text
        squares = re.findall(r"<rect.*?<title>(\S+): (\d+)</title>", text)
        assert 52 * 7 < len(squares) <= 53 * 7
        assert sorted(int(count) for _, count in squares if count != "0") == [1, 1, 2, 3]


def test_web_export_can_be_recorded_again(server: Server, account: str, client: ApiClient) -> None:
    who = {"email_address": "ada@example.com", "first_name": "Ada"}
    client.record(
        *(make_line("c1", "em_opens", 1_767_225_600_000 + number, **who) for number in range(250)),
        make_line("c1", "em_clicks", link_url="https://example.com/é"),
    )
    with open_browser(server, account) as browser, server.client(f"{account}-copy") as copy:
        response = browser.get("/contacts/c1/export")
        assert response.headers["content-disposition"] == 'attachment; filename="c1.ndjson"'
        assert response.content.count(b"\n") == 251
        assert response.text == run_rapport("export", "c1", "--data", server.data, "--account", account).stdout
        copied = copy.post(
            "/track/v1/activities", content=response.content, headers={"content-type": "application/x-ndjson"}
        )
        assert copied.json()["accepted"] == 251
        assert browser.get("/contacts/nobody/export").status_code == 404
    with (
        open_browser(server, account, Role.CAMPAIGN_CREATOR) as creator,
        open_browser(server, f"{account}-other") as other,
    ):
        assert creator.get("/contacts/c1/export").status_code == 403
        assert other.get("/contacts/c1/export").status_code == 404


def test_lists_are_downloaded_in_every_format(server: Server, account: str, client: ApiClient) -> None:
    client.record(*(make_line(f"c{number}", "em_opens", device_type="mobile") for number in range(3)))
    with open_browser(server, account) as browser:
        for page in ("/contacts/c1", "/activities/ca-1/opens"):
            links = re.findall(r'href="([^"]*/export\?[^"]*)" download>([^<]+)<', browser.get(page).text)
            assert [title for _, title in links] == ["CSV", "NDJSON", "Parquet"]
            for link, title in links:
                response = browser.get(unescape(link))
                assert response.status_code == httpx.codes.OK
                assert response.headers["content-disposition"].endswith(f'.{title.lower()}"')
                if title == "CSV":
                    assert response.content.startswith(b"\xef\xbb\xbfcontact_id,campaign_activity_id,")
        assert browser.get("/activities/ca-1/opens/export?format=csv").text.count("\n") == 4
        assert browser.get("/activities/ca-1/opens/export?format=xml").status_code == httpx.codes.BAD_REQUEST
        assert browser.get("/activities/ca-1/nonsense/export").status_code == httpx.codes.NOT_FOUND
        assert browser.get("/activities/nothing/opens/export").status_code == httpx.codes.NOT_FOUND
    with (
        open_browser(server, account, Role.CAMPAIGN_CREATOR) as creator,
        open_browser(server, f"{account}-other") as other,
    ):
        assert creator.get("/activities/ca-1/opens/export").status_code == httpx.codes.FORBIDDEN
        assert other.get("/activities/ca-1/opens/export").status_code == httpx.codes.NOT_FOUND


def test_contact_page_shows_permission(server: Server, account: str, client: ApiClient) -> None:
    client.record(
        make_line("c1"),
        make_line("c2", "em_optouts", "2026-04-02T10:00:00Z", opt_out_reason="Too <many>"),
        make_line("c3", "p_contact_add"),
    )
    unsubscribed = {"contact_id": "c4", "updated_at": "2026-04-03T10:00:00Z", "permission_to_send": "unsubscribed"}
    assert client.post("/track/v1/contacts", json=[unsubscribed]).json()["accepted"] == 1
    with open_browser(server, account) as browser:
        assert "Unsubscribed" not in browser.get("/contacts/c1").text
        page = browser.get("/contacts/c2").text
        assert "Unsubscribed Thursday, 2 April 2026 by the contact: “Too &lt;many&gt;”" in page
        assert "Permission to send: explicit" in browser.get("/contacts/c3").text
        assert "Unsubscribed Friday, 3 April 2026 by the account</p>" in browser.get("/contacts/c4").text


def test_campaign_page_shows_numbers_of_api(server: Server, account: str, client: ApiClient) -> None:
    client.record(
        *(make_line(f"c{number}", "em_sends", campaign_activity_name="Spring") for number in range(1_100)),
        *(make_line(f"c{number}", "em_opens", device_type="mobile") for number in range(300)),
        *(make_line(f"c{number}", "em_clicks", link_url="https://example.com/a") for number in range(100)),
        *(make_line(f"c{number}", "em_bounces", bounce_code="F") for number in range(1_000, 1_010)),
    )
    with open_browser(server, account) as browser:
        text = re.sub(r"<[^>]+>|\s+", " ", browser.get("/activities/ca-1").text)
        text = re.sub(r"\s+", " ", text)
        assert "Sent 1,100" in text
        assert "Delivered 1,090" in text
        assert "Opened 300 27.5% of delivered" in text
        assert "Clicked 100 33.3% of opened" in text
        assert "Did not open 790 72.5% of delivered" in text
        assert "F Mailbox full 10" in text
        assert "https://example.com/a 100" in text
        seen: list[str] = []
        href: str | None = "/activities/ca-1/didnotopens"
        while href:
            page = browser.get(href).text
            seen += re.findall(r'<a href="/contacts/([^"]+)"', page)
            older = re.search(r'class="older"><a href="([^"]+)"', page)
            href = f"/activities/ca-1/didnotopens{unescape(older[1])}" if older else None
        assert len(seen) == len(set(seen)) == 790


def test_campaign_links_are_paginated(server: Server, account: str, client: ApiClient) -> None:
    lines = [
        make_line("c1", "em_clicks", 1_767_225_600_000 + n, link_url=f"https://example.com/{n}/") for n in range(250)
    ]
    client.record(*lines, make_line("c2", "em_clicks", link_url="https://example.com/249/"))
    with open_browser(server, account) as person:
        shown: list[str] = []
        href = "/activities/ca-1"
        while href:
            html = person.get(href).text
            results = re.findall(r"https://example\.com/(\d+)/", html)
            assert len(results) <= 100
            shown += results
            older = re.search(r'href="([^"]+)">More links', html)
            href = "" if older is None else "/activities/ca-1" + unescape(older[1])
        assert shown[0] == "249"
        assert sorted(shown, key=int) == [str(number) for number in range(250)]
        assert person.get("/activities/ca-1?links_cursor=x").status_code == 400


def test_search_finds_contacts_and_campaigns_by_prefix(server: Server, account: str, client: ApiClient) -> None:
    client.record(
        make_line(
            "c-1", "em_sends", email_address="Ada@Example.com", first_name="Ada", campaign_activity_name="Spring sale"
        ),
        make_line("c-2", "em_sends", email_address="adam@example.com"),
        make_line("d-3", "em_sends", email_address="bob@example.com"),
    )
    with open_browser(server, account) as browser:

        def search(text: str) -> list[str]:
            page = browser.get("/", params={"q": text, "part": "1"}).text
            return re.findall(r'href="/(?:contacts|activities)/([^"]+)"', page)

        assert search("ada") == ["c-1", "c-2"]
        assert search("ADA@") == ["c-1"]
        assert search("@example.COM") == ["c-1", "c-2", "d-3"]
        assert search("dam@") == ["c-2"]
        assert search("c-") == ["c-1", "c-2"]
        assert search("SALE") == ["ca-1"]
        assert search("%") == []
        assert search("") == ["ca-1"]


def test_search_finds_contacts_by_first_last_and_full_name(server: Server, account: str, client: ApiClient) -> None:
    client.record(
        make_line("c-1", first_name="Ada", last_name="Lovelace"),
        make_line("c-2", first_name="Émile", last_name="Zola"),
        make_line("c-3", first_name="Mary Ann", last_name="Van der Berg"),
        make_line("c-4", last_name="ÅNGSTRÖM"),
        make_line("c-5", first_name="Adam", last_name="Smith"),
        make_line("c-6"),
    )
    with open_browser(server, account) as browser:

        def search(text: str) -> list[str]:
            page = browser.get("/", params={"q": text, "part": "1"}).text
            return re.findall(r'href="/contacts/([^"]+)"', page)

        assert search("ad") == ["c-1", "c-5"]
        assert search("LOVE") == ["c-1"]
        assert search("ada  lov") == ["c-1"]
        assert search("ada smith") == []
        assert search("émile") == search("ÉMILE z") == ["c-2"]
        assert search("mary ann van DER") == search("van d") == search("mary a") == ["c-3"]
        assert search("ångström") == ["c-4"]
        assert search("%") == search("_da") == []


def test_forms_require_form_token_of_session(server: Server, account: str, client: ApiClient) -> None:
    client.record(make_line("c1", "em_sends"))
    with open_browser(server, account) as browser:
        token = get_form_token(browser.get("/contacts/c1"))
        erase = "/contacts/c1/erase"
        assert browser.post(erase, data={"typed": "c1"}).status_code == 403
        assert browser.post(erase, data={"typed": "c1", "form_token": "x"}).status_code == 403
        elsewhere = {"sec-fetch-site": "cross-site"}
        assert browser.post(erase, data={"typed": "c1", "form_token": token}, headers=elsewhere).status_code == 403
        assert browser.post("/sign-out", headers=elsewhere).status_code == 403
        assert browser.post(erase, data={"typed": "c2", "form_token": token}).status_code == 400
        with open_browser(server, account) as other:
            strange = get_form_token(other.get("/"))
            assert browser.post(erase, data={"typed": "c1", "form_token": strange}).status_code == 403
        assert client.get("/v3/contacts/c1").status_code == 200
        erased = browser.post(erase, data={"typed": "c1", "form_token": token})
        assert erased.status_code == 303
        assert "Contact <code>c1</code> was erased" in browser.get(erased.headers["location"]).text
        assert client.get("/v3/contacts/c1").status_code == 404
        assert browser.post("/sign-out", data={"form_token": token}).headers["location"] == "/sign-in"
        assert browser.get("/").status_code == 303


def test_erasure_requires_owner_role(server: Server, account: str, client: ApiClient) -> None:
    client.record(make_line("c1", "em_sends"))
    with open_browser(server, account, Role.MANAGER) as manager:
        page = manager.get("/contacts/c1")
        assert "erase" not in page.text
        response = manager.post("/contacts/c1/erase", data={"typed": "c1", "form_token": get_form_token(page)})
        assert response.status_code == 403
        assert client.get("/v3/contacts/c1").status_code == 200


@pytest.mark.slow
def test_failed_page_shows_request_id(tmp_path: Path) -> None:
    with Server(str(tmp_path / "data")) as server, open_browser(server, "default") as browser:
        assert browser.get("/account").status_code == 200
        execute_sql(server.data, "DROP TABLE campaign_activity_hour")
        page = browser.get("/account")
        assert page.status_code == 500
        assert page.headers["x-request-id"] in page.text
        assert "campaign_activity_hour" not in page.text
        assert page.headers["x-request-id"] in server.log.read_text()
        assert "no such table" in server.log.read_text()


@pytest.mark.parametrize("id_", ["user/13", "Müller & Söhne", "a.5", '"><b>', "50%", "a?b#c", "-5", "%2F"])
def test_pages_link_ids_of_every_form(server: Server, account: str, client: ApiClient, id_: str) -> None:
    lines = (make_line(id_, campaign_activity_id=id_, time=f"2026-03-{day:02}T10:00:00Z") for day in range(1, 28))
    client.record(*lines, *(make_line(f"{id_}.{number}", campaign_activity_id=id_) for number in range(100)))
    with open_browser(server, account) as browser:
        contact = f"/contacts/{quote(id_, safe='')}"
        results = browser.get("/", params={"q": id_})
        assert contact in unescape(results.text)
        page = browser.get(contact)
        assert page.status_code == httpx.codes.OK
        activity = f"/activities/{quote(id_, safe='')}"
        assert activity in unescape(page.text)
        assert browser.get(activity).status_code == httpx.codes.OK
        opens = browser.get(f"{activity}/opens")
        assert contact in unescape(opens.text) or "Older" in opens.text
        (older,) = re.findall(r'href="(\?cursor=[^"]+|[^"]*\?[^"]*)">Older', opens.text)
        rest = browser.get(f"{activity}/opens{unescape(older)}")
        assert rest.status_code == httpx.codes.OK
        exported = browser.get(f"{contact}/export")
        assert exported.text.count("\n") == 27
