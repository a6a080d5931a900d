"""An HTTP client with a token, and the paths and lines it sends."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

ALL_ACTIVITY_TYPES = (
    "em_sends,em_opens,em_clicks,em_bounces,em_optouts,em_forwards,"
    "p_contact_open,p_contact_click,p_contact_add,p_contact_update"
)


def details_path(contact_id: str) -> str:
    """Return the path of the contact's activity details."""
    return f"/v3/reports/contact_reports/{contact_id}/activity_details"


def tracking_path(campaign_activity_id: str, report: str = "sends") -> str:
    """Return the path of a tracking report on the campaign activity."""
    return f"/v3/reports/email_reports/{campaign_activity_id}/tracking/{report}"


def landing_page_path(campaign_activity_id: str, report: str) -> str:
    """Return the path of a report on the landing page."""
    return f"/v3/reports/landing_pages/campaign_details/{campaign_activity_id}/{report}"


class ApiClient(httpx.Client):
    """An HTTP client with a token."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=60)
        self.token = token

    def record(self, *lines: Mapping[str, object]) -> dict[str, Any]:
        """Post the lines and return the receipt."""
        body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        response = self.post("/track/v1/activities", content=body, headers={"content-type": "application/x-ndjson"})
        assert response.status_code == httpx.codes.OK, response.text
        receipt: dict[str, Any] = response.json()
        return receipt

    def page(self, contact_id: str, **params: str | int) -> httpx.Response:
        """Request a page of the contact's activity details."""
        return self.get(details_path(contact_id), params=params)

    def walk(self, contact_id: str, query: str) -> Iterator[list[dict[str, Any]]]:
        """Yield the items of each page of activity details, following `_links.next.href` as clients do."""
        yield from self._walk(f"{details_path(contact_id)}?{query}")

    def walk_tracking(self, campaign_activity_id: str, report: str, query: str) -> Iterator[list[dict[str, Any]]]:
        """Yield the items of each page of a tracking report."""
        yield from self._walk(f"{tracking_path(campaign_activity_id, report)}?{query}")

    def walk_landing_page(self, campaign_activity_id: str, report: str, query: str) -> Iterator[list[dict[str, Any]]]:
        """Yield the items of each page of a report on a landing page."""
        yield from self._walk(f"{landing_page_path(campaign_activity_id, report)}?{query}")

    def _walk(self, href: str) -> Iterator[list[dict[str, Any]]]:
        while href:
            response = self.get(href)
            assert response.status_code == httpx.codes.OK, response.text
            page = response.json()
            yield page["tracking_activities"]
            href = page["_links"]["next"]["href"] if page["_links"] else ""


def make_line(
    contact_id: str = "c1",
    activity_type: str = "em_opens",
    time: str | int = "2026-03-01T10:00:00.000Z",
    **more: object,
) -> dict[str, object]:
    """Return an activity in the format that is recorded."""
    return {
        "contact_id": contact_id,
        "campaign_activity_id": "ca-1",
        "tracking_activity_type": activity_type,
        "created_time": time,
        **more,
    }
