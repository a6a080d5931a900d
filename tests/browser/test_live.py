"""The account page in a browser: live activity and charts."""

import time

from playwright.sync_api import Browser, Page, expect

from tests.helpers.api import ApiClient, make_line
from tests.helpers.browser import open_signed_in
from tests.helpers.server import Server


def test_recorded_activity_appears_on_live_page(page: Page, client: ApiClient) -> None:
    ada = {"email_address": "ada@example.com", "first_name": "Ada", "last_name": "<b>Lovelace</b>"}
    client.record(make_line("c1", "em_sends", campaign_activity_name="Spring sale", **ada))
    with page.expect_response("**/live"):
        page.goto("/account")
    rows = page.locator("#live li")
    expect(rows).to_have_count(0)
    client.record(make_line("c1", "em_clicks", link_url="https://example.com/new", **ada))
    recorded = time.monotonic()
    expect(rows).to_have_count(1)
    assert time.monotonic() - recorded < 1
    expect(rows).to_contain_text("Clicked Ada <b>Lovelace</b>")
    expect(rows).to_contain_text("Spring sale https://example.com/new")
    client.record(*(make_line("c1", "em_opens", f"2026-03-01T10:00:00.{number:03}Z") for number in range(60)))
    expect(rows).to_have_count(50)
    rows.first.get_by_role("link", name="Ada").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ada <b>Lovelace</b>")


def test_stream_can_be_tried_on_api_page(page: Page, client: ApiClient) -> None:
    page.goto("/schema#streamActivities")
    page.locator("#token").fill(client.token)
    page.get_by_label("Last-Event-ID").fill("nowhere")
    page.locator("#request button[type=submit]").click()
    expect(page.locator("#body")).to_contain_text("event: gap")
    client.record(make_line("c1", "em_opens"))
    expect(page.locator("#body")).to_contain_text('"contact_id":"c1"')


def test_charts_show_values_of_tables(page: Page, client: ApiClient) -> None:
    client.record(
        make_line("c1", "em_sends", "2026-03-01T10:00:00Z"),
        *(make_line(f"c{number}", "em_opens", "2026-03-02T10:00:00Z") for number in range(1_234)),
    )
    page.goto("/account?after=2026-03-01&before=2026-03-03")
    chart = page.locator(".chart")
    expect(chart.locator("canvas")).to_be_visible()
    expect(chart.get_by_role("table", name="")).to_have_count(1)
    expect(chart.locator("details")).not_to_have_attribute("open", "")
    # The second of three days is in the middle.
    chart.locator(".u-over").hover()
    expect(chart.locator(".u-legend")).to_contain_text("2 Mar 2026")
    expect(chart.locator(".u-legend")).to_contain_text("1,234")
    page.goto("/activities/ca-1")
    expect(page.locator(".chart canvas")).to_have_count(2)


def test_chart_is_table_without_scripts(browser: Browser, server: Server, client: ApiClient) -> None:
    client.record(make_line("c1", "em_opens", "2026-03-02T10:00:00Z"))
    with open_signed_in(browser, server, client, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto("/account?after=2026-03-01&before=2026-03-03")
        expect(page.get_by_role("rowheader", name="2 Mar 2026")).to_be_visible()
        page.get_by_role("link", name="Week").click()
        expect(page.get_by_text("No activity in this period.")).to_be_visible()
