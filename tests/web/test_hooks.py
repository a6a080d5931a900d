"""The pages of hooks: created, tested and deleted, by whom; and what could not be matched."""

import json
import re
import time

import httpx
import pytest

from rapport.auth.scope import Role, Scope
from rapport.instant import iso
from tests.helpers.oauth import hidden_fields
from tests.helpers.server import Server
from tests.helpers.waiting import wait_until
from tests.helpers.web import open_browser_by_link, open_browser_with_token

ADDRESS = "grace.hopper@example.net"


def create(browser: httpx.Client, **fields: str) -> httpx.Response:
    form = {"provider": "brevo", "name": "Letters <b>", "key": "", "campaign_activity": "", "topic_arn": ""}
    return browser.post("/hooks", data={**form, "mapping": "", **hidden_fields(browser.get("/hooks")), **fields})


def created_url(page: httpx.Response) -> str:
    assert page.status_code == 200, page.text
    (url,) = re.findall(r'id="hook-url"[^>]*><code>([^<]+)</code>', page.text)
    return str(url)


def event(**fields: object) -> dict[str, object]:
    return {
        "event": "click",
        "email": ADDRESS,
        "ts_epoch": time.time_ns() // 1_000_000,
        "link": "https://shop.example.com/",
        **fields,
    }


def hook_id_in(url: str) -> str:
    return url.rpartition("/")[2].partition(".")[0]


def test_hook_is_created_used_and_deleted(server: Server, account: str) -> None:
    with open_browser_by_link(server, account) as browser:
        page = create(browser, campaign_activity="constant:spring")
        url = created_url(page)
        assert "Letters &lt;b&gt;" in page.text
        assert url.startswith(f"{server.url}/in/brevo/")
        secret = url.partition(".SECRET")[0].rpartition(".")[2]
        assert secret not in browser.get("/hooks").text
        assert httpx.post(url, json=event()).status_code == 200
        assert httpx.post(url + "x", json=event()).status_code == 403
        wait_until(
            lambda: all(part in browser.get("/hooks").text for part in ("1 event in the last 24 hours", "wrong secret"))
        )
        fields = hidden_fields(browser.get("/hooks"))
        path = f"/hooks/{hook_id_in(url)}/delete"
        assert browser.post(path, data=fields).status_code == 303
        assert "No hooks yet" in browser.get("/hooks").text
        assert browser.post(path, data=fields).status_code == 404
        assert httpx.post(url, json=event()).status_code in {200, 404}


def test_steps_of_amazon_ses_are_ready_to_run(server: Server, account: str) -> None:
    arn = "arn:aws:sns:eu-west-1:123456789012:rapport"
    with open_browser_by_link(server, account) as browser:
        text = create(browser, provider="amazon-ses", topic_arn=arn).text
    for part in ("aws sns create-topic", "aws sqs create-queue", "DeliveryPolicy", "RedrivePolicy", arn):
        assert part in text


def test_test_shows_what_would_be_recorded(server: Server, account: str) -> None:
    with open_browser_by_link(server, account) as browser:
        hook_id = hook_id_in(created_url(create(browser, campaign_activity="constant:spring")))
        fields = hidden_fields(browser.get("/hooks"))
        path = f"/hooks/{hook_id}/test"
        page = browser.post(path, data={**fields, "body": json.dumps(event())})
        assert "This would be recorded:" in page.text
        assert "em_clicks" in page.text
        page = browser.post(path, data={**fields, "body": "<script>"})
        assert "Not all of this would be recorded:" in page.text
        assert "&lt;script&gt;" in page.text
        assert "Nothing has arrived yet" in page.text


def test_unmatched_items_are_run_again(server: Server, account: str) -> None:
    with open_browser_by_link(server, account) as browser, server.client(account) as client:
        url = created_url(create(browser))
        message_id = "<letter-1@shop.example.com>"
        assert httpx.post(url, json=event(**{"message-id": message_id})).status_code == 200
        wait_until(lambda: "no campaign activity" in browser.get("/hooks/unmatched").text)
        assert ADDRESS in browser.get("/hooks/unmatched").text
        sent = {
            "contact_id": "c1",
            "campaign_activity_id": "spring",
            "tracking_activity_type": "em_sends",
            "created_time": iso(time.time_ns() // 1_000_000),  # type: ignore[arg-type] - an instant is an int
            "event_id": message_id,
            "email_address": ADDRESS,
        }
        client.record(sent)
        page = browser.post("/hooks/unmatched/retry", data=hidden_fields(browser.get("/hooks/unmatched")))
        assert "Matched 1 of 1 unmatched item." in page.text
        assert "Everything that was received is matched." in page.text


@pytest.mark.parametrize(
    "changes",
    [
        {"provider": "nobody"},
        {"provider": "amazon-ses"},
        {"provider": "sendgrid"},
        {"provider": "sendgrid", "key": "no key"},
        {"campaign_activity": "constant:"},
        {"topic_arn": "arn:aws:sns:eu-west-1:123456789012:rapport"},
        {"provider": "generic", "mapping": "{"},
    ],
)
def test_invalid_hook_is_rejected(server: Server, account: str, changes: dict[str, str]) -> None:
    with open_browser_by_link(server, account) as browser:
        assert create(browser, **changes).status_code == 400
        assert "No hooks yet" in browser.get("/hooks").text


def test_changing_hooks_requires_manager_session(server: Server, account: str) -> None:
    with open_browser_by_link(server, account, Role.CAMPAIGN_CREATOR) as browser:
        assert browser.get("/hooks").status_code == 403
        assert browser.get("/hooks/unmatched").status_code == 403
    with open_browser_with_token(server, server.token(account, frozenset(Scope))) as browser:
        assert "sign in with a link" in browser.get("/hooks").text
        assert create(browser).status_code == 403
    with open_browser_by_link(server, account, Role.MANAGER) as browser:
        assert create(browser).status_code == 200


def test_hook_of_other_account_is_inaccessible(server: Server, account: str) -> None:
    with open_browser_by_link(server, f"other-{account}") as other:
        hook_id = hook_id_in(created_url(create(other)))
    with open_browser_by_link(server, account) as browser:
        assert hook_id not in browser.get("/hooks").text
        fields = hidden_fields(browser.get("/hooks"))
        for action in ("test", "delete"):
            assert browser.post(f"/hooks/{hook_id}/{action}", data=fields).status_code == 404


def test_form_of_other_session_is_rejected(server: Server, account: str) -> None:
    with open_browser_by_link(server, account) as browser, open_browser_by_link(server, account) as other:
        create(browser)
        fields = hidden_fields(other.get("/hooks"))
        assert browser.post("/hooks/unmatched/retry", data=fields).status_code == 403
        assert browser.post("/hooks", data={"provider": "brevo", **fields}).status_code == 403
