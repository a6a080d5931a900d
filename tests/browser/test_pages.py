"""Common tasks on the pages, in a browser."""

import re
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from playwright.sync_api import Browser, Page, expect

from rapport.web.sessions import now
from tests.helpers.api import ApiClient, make_line
from tests.helpers.browser import PHONE, open_signed_in
from tests.helpers.chromium import measure_page_load
from tests.helpers.server import Server

DAY = 86_400_000
NEW_YEAR = 1_767_225_600_000
SCROLL_TO_THE_END = """
    async () => {
        while (document.querySelector(".older")) {
            scrollTo(0, document.body.scrollHeight);
            await new Promise((resolve) => setTimeout(resolve, 5));
        }
    }
"""


def record_two_contacts(client: ApiClient) -> None:
    ada = {"email_address": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace"}
    alan = {"email_address": "alan@example.com", "first_name": "Alan", "last_name": "Turing"}
    client.record(
        make_line("c-1", "em_sends", campaign_activity_name="Spring sale", **ada),
        make_line("c-2", "em_sends", **alan),
    )


def test_user_signs_in_with_token_and_out(browser: Browser, server: Server, client: ApiClient) -> None:
    record_two_contacts(client)
    context = browser.new_context(base_url=server.url)
    page = context.new_page()
    page.goto("/contacts/c-1")
    expect(page).to_have_title("Sign in · Rapport")
    page.get_by_label("Token").fill(client.token)
    page.get_by_role("button", name="Sign in with token").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ada Lovelace")
    page.get_by_role("button", name="Sign out").click()
    page.goto("/contacts/c-1")
    expect(page).to_have_title("Sign in · Rapport")
    context.close()


def test_heading_of_contact_is_readable_on_phone(page: Page, client: ApiClient) -> None:
    record_two_contacts(client)
    client.record(make_line("c-2", "em_optouts", time=NEW_YEAR + DAY))
    page.set_viewport_size(PHONE)
    page.goto("/contacts/c-2")
    texts = page.locator(".heading h1, .heading p")
    expect(texts).to_have_count(4)
    boxes = [text.bounding_box() for text in texts.all()]
    # One below the other, each as wide as it needs to be.
    for above, below in pairwise(boxes):
        assert above is not None
        assert below is not None
        assert above["y"] + above["height"] <= below["y"] + 1
    assert page.locator("h1").evaluate("element => element.getClientRects()[0].height") < 40


def test_contact_is_found_with_keyboard(page: Page, client: ApiClient) -> None:
    record_two_contacts(client)
    page.goto("/activities/ca-1")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_have_value("")
    page.keyboard.type("a")
    expect(page.locator("#results a")).to_have_count(3)
    expect(page).to_have_url(re.compile(r"/\?q=a$"))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("/")
    page.keyboard.type("alan tu")
    page.keyboard.press("Enter")
    expect(page.locator("#results strong")).to_have_text("Alan Turing")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Alan Turing")
    page.go_back()
    expect(page.locator("#results strong")).to_have_text("Alan Turing")
    expect(page.get_by_role("searchbox")).to_have_value("alan tu")


def test_timeline_filters_are_kept_in_url(page: Page, client: ApiClient) -> None:
    client.record(
        *(make_line("c1", "em_opens", NEW_YEAR + number * DAY) for number in range(40)),
        *(make_line("c1", "em_clicks", NEW_YEAR + number * DAY) for number in range(10)),
    )
    page.goto("/contacts/c1")
    rows, count = page.locator(".timeline li"), page.get_by_role("status")
    expect(count).to_have_text("50 activities")
    page.get_by_label("Opened").check()
    expect(count).to_have_text("40 activities")
    expect(page).to_have_url(re.compile(r"/contacts/c1\?type=em_opens$"))
    expect(page.get_by_label("Opened")).to_be_focused()
    page.get_by_label("From").fill("2026-01-05")
    expect(count).to_have_text("36 activities")
    page.get_by_label("to", exact=True).fill("2026-01-06")
    expect(count).to_have_text("2 activities")
    expect(rows).to_have_count(2)
    expect(page).to_have_url(re.compile(r"\?type=em_opens&after=2026-01-05&before=2026-01-06$"))
    page.reload()
    expect(rows).to_have_count(2)
    expect(page.get_by_label("Clicked")).not_to_be_checked()
    page.go_back()
    expect(count).to_have_text("36 activities")
    # The browser has cached nothing.
    kept = page.evaluate("[...Object.entries(localStorage), ...Object.entries(sessionStorage)].join()")
    assert "<" not in kept


def test_timeline_of_5000_scrolls_to_end(page: Page, client: ApiClient) -> None:
    hour = DAY // 24
    for part in range(5):
        numbers = range(part * 1_000, part * 1_000 + 1_000)
        client.record(*(make_line("c1", "em_opens", NEW_YEAR - number * hour) for number in numbers))
    page.goto("/contacts/c1")
    page.evaluate(SCROLL_TO_THE_END)
    shown = page.eval_on_selector_all(".timeline time", "all => all.map(time => time.dateTime)")
    received = [item["created_time"] for each in client.walk("c1", "tracking_activity_type=em_opens") for item in each]
    assert len(shown) == 5_000
    assert shown == received
    headings = page.eval_on_selector_all(".day", "all => all.map(day => day.textContent)")
    berlin = [datetime.fromisoformat(time).astimezone(ZoneInfo("Europe/Berlin")) for time in shown]
    assert headings == list(dict.fromkeys(f"{time:%A}, {time.day} {time:%B %Y}" for time in berlin))


def test_contact_page_with_10_000_activities_is_soon_usable(page: Page, client: ApiClient) -> None:
    for part in range(2):
        client.record(*(make_line("c1", "em_opens", now() - number * 3_600_000 - part) for number in range(5_000)))
    page.goto("/")
    # `python -m bench browsing` measures this; here, the machine may be busy.
    assert measure_page_load(page, "/contacts/c1") < 5
    assert page.get_by_role("status").text_content() == "10,000 activities"


def test_campaign_page_shows_numbers_of_api(page: Page, client: ApiClient) -> None:
    client.record(
        *(make_line(f"c{number}", "em_sends", campaign_activity_name="Spring") for number in range(200)),
        *(make_line(f"c{number}", "em_opens", device_type="mobile") for number in range(90)),
        *(make_line(f"c{number}", "em_clicks", link_url="https://example.com/a") for number in range(30)),
        *(make_line(f"c{number}", "em_bounces", bounce_code="F") for number in range(190, 200)),
        make_line("c1", "em_optouts"),
    )
    received = client.get("/v3/reports/stats/email_campaign_activities/ca-1").json()["results"][0]["stats"]
    page.goto("/activities/ca-1")
    for word, key in (
        ("Sent", "em_sends"),
        ("Opened", "em_opens"),
        ("Clicked", "em_clicks"),
        ("Did not open", "em_not_opened"),
        ("Bounced", "em_bounces"),
        ("Unsubscribed", "em_optouts"),
    ):
        row = page.locator(".funnel tr", has=page.get_by_role("rowheader", name=word, exact=True))
        expect(row.locator(".count")).to_have_text(f"{received[key]:,}")
    page.get_by_role("link", name="Clicked").click()
    expect(page.locator(".rows tbody tr")).to_have_count(received["em_clicks"])


def test_times_are_shown_in_viewers_zone(page: Page, client: ApiClient) -> None:
    client.record(make_line("c1", "em_opens", "2026-07-01T22:30:00.000Z"))
    page.goto("/contacts/c1")
    expect(page.locator(".day")).to_have_text("Thursday, 2 July 2026")
    time = page.locator(".timeline time")
    expect(time).to_have_text("00:30")
    assert time.get_attribute("title") == "2026-07-01 22:30:00.000 UTC"


def test_recorded_html_and_scripts_are_inert(page: Page, client: ApiClient) -> None:
    nasty = "<script>harmed=1</script><img src=x onerror=harmed=1>'\"{{7*7}}"
    who = {"first_name": nasty, "last_name": nasty}
    client.record(
        make_line("c1", "em_sends", campaign_activity_name=nasty, **who),
        make_line("c1", "em_clicks", link_url=f"https://example.com/{nasty}".replace(" ", ""), **who),
        make_line("c1", "em_optouts", opt_out_reason=nasty, **who),
        make_line("c1", "em_clicks", "2026-03-02T10:00:00.000Z", link_url="javascript:harmed=1", **who),
    )
    campaign = {"campaign_id": "k", "campaign_activities": [{"campaign_activity_id": "ca-1", "subject": nasty}]}
    client.post("/track/v1/campaigns", json=[campaign])
    paths = ("/contacts/c1", "/activities/ca-1", "/activities/ca-1/clicks", "/activities/ca-1/optouts")
    for path in paths:
        page.goto(path)
        expect(page.get_by_text(nasty).first).to_be_visible()
        assert page.locator("main img, main script, a[href^='javascript:']").count() == 0
    page.goto("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type(nasty)
    expect(page.locator('[data-query*="harmed"]')).to_have_count(1)
    expect(page.locator("#results li")).to_have_count(2)
    assert page.evaluate("typeof harmed") == "undefined"


def test_pages_work_without_scripts(browser: Browser, server: Server, client: ApiClient) -> None:
    record_two_contacts(client)
    client.record(*(make_line("c-1", "em_opens", NEW_YEAR + number * DAY) for number in range(130)))
    with open_signed_in(browser, server, client, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto("/")
        page.get_by_role("searchbox").fill("lovelace")
        page.get_by_role("button", name="Find").click()
        page.get_by_role("link", name=re.compile("Ada Lovelace")).click()
        page.get_by_label("Opened").check()
        page.get_by_role("button", name="Show").click()
        expect(page.locator(".timeline li")).to_have_count(100)
        page.get_by_role("link", name="Older activity").click()
        expect(page.locator(".timeline li")).to_have_count(30)
        expect(page.locator(".day").first).to_be_visible()


def test_unreachable_server_is_reported(browser: Browser, server: Server, client: ApiClient) -> None:
    # The browser logs this to the console.
    with open_signed_in(browser, server, client) as context:
        page = context.new_page()
        page.goto("/")
        page.route("**/?part=1*", lambda route: route.abort())
        page.keyboard.type("ada")
        expect(page.get_by_role("alert")).to_contain_text("The server is unavailable")
